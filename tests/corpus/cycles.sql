-- Objects that need each other: what pg_dump takes apart, so must we.
CREATE TABLE base(id int PRIMARY KEY, a int);
CREATE FUNCTION count_base() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM base); END';
ALTER TABLE base ALTER COLUMN a SET DEFAULT count_base();
CREATE VIEW first AS SELECT 1 AS x;
CREATE VIEW second AS SELECT x FROM first;
CREATE OR REPLACE VIEW first AS SELECT 1 AS x UNION ALL SELECT count(*)::int FROM base;
CREATE TYPE holder AS (id int);
CREATE FUNCTION of_row(base) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.id IS NOT NULL';
ALTER TABLE base ADD CONSTRAINT checked_by_row CHECK (of_row(base));
INSERT INTO base VALUES (1, 1), (2, DEFAULT);
CREATE FUNCTION needs_key() RETURNS TABLE(id int, a int) LANGUAGE sql BEGIN ATOMIC SELECT id, a FROM base GROUP BY id; END;
CREATE VIEW above_function AS SELECT * FROM needs_key();
CREATE DOMAIN checked_domain AS int;
CREATE FUNCTION check_domain(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
ALTER DOMAIN checked_domain ADD CHECK (check_domain(VALUE));
CREATE TABLE uses_domain(d checked_domain);
INSERT INTO uses_domain VALUES (4);
