-- as superuser
-- Extensions, one in a schema of its own, and what uses them; which there are depends on the server.
CREATE SCHEMA tools;
DO $$
DECLARE
  present text[] := ARRAY(SELECT name::text FROM pg_available_extensions);
BEGIN
  IF present @> '{citext,pg_trgm}' THEN
    CREATE EXTENSION citext;
    CREATE EXTENSION pg_trgm SCHEMA tools;
    COMMENT ON EXTENSION citext IS 'our own words';
    CREATE TABLE mails(address citext PRIMARY KEY, body text);
    INSERT INTO mails VALUES ('Person@Example.org', 'hello world');
    CREATE INDEX by_similarity ON mails USING gin (body tools.gin_trgm_ops);
  ELSE
    CREATE EXTENSION vector SCHEMA tools;
    CREATE TABLE embedded(id int PRIMARY KEY, at tools.vector(3) NOT NULL);
    INSERT INTO embedded VALUES (1, '[1,2.5,-3]');
    CREATE INDEX by_distance ON embedded USING hnsw (at tools.vector_l2_ops);
  END IF;
END $$;
