-- as superuser
-- Owners, grants, default privileges, row security.
CREATE SCHEMA shared AUTHORIZATION app;
GRANT USAGE ON SCHEMA shared TO reader;
CREATE TABLE shared.open(id int PRIMARY KEY, secret text, note text);
INSERT INTO shared.open VALUES (1, 's', 'n'), (2, 't', 'm');
GRANT SELECT, INSERT ON shared.open TO reader WITH GRANT OPTION;
GRANT UPDATE (note), REFERENCES (id) ON shared.open TO reader;
GRANT SELECT ON shared.open TO PUBLIC;
CREATE TABLE owned_by_app(a int); ALTER TABLE owned_by_app OWNER TO app;
REVOKE INSERT ON owned_by_app FROM app;
CREATE SEQUENCE counted; GRANT USAGE ON SEQUENCE counted TO reader;
CREATE FUNCTION guarded() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION guarded() FROM PUBLIC; GRANT EXECUTE ON FUNCTION guarded() TO reader;
CREATE TYPE guarded_type AS ENUM ('a'); REVOKE ALL ON TYPE guarded_type FROM PUBLIC; GRANT USAGE ON TYPE guarded_type TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA shared GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON SEQUENCES TO reader;
ALTER TABLE shared.open ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON shared.open FOR SELECT USING (true);
CREATE POLICY own ON shared.open AS RESTRICTIVE FOR UPDATE TO reader, app USING (id > 1) WITH CHECK (note <> '');
ALTER TABLE owned_by_app FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY own ON shared.open IS 'their own';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO reader;
COMMENT ON SCHEMA shared IS 'shared by all';
COMMENT ON SCHEMA public IS 'mine';
