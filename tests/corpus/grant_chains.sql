-- as superuser
-- Grants that were passed on: by the owner, by who had the grant option, on tables, columns, schemas, functions.
CREATE SCHEMA s AUTHORIZATION app;
GRANT USAGE ON SCHEMA s TO reader WITH GRANT OPTION;
CREATE TABLE s.t(a int, b int); ALTER TABLE s.t OWNER TO app;
GRANT SELECT, INSERT ON s.t TO reader WITH GRANT OPTION;
GRANT UPDATE (b) ON s.t TO reader WITH GRANT OPTION;
CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION s.f() OWNER TO app;
GRANT EXECUTE ON FUNCTION s.f() TO reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION reader;
GRANT USAGE ON SCHEMA s TO PUBLIC;
GRANT SELECT ON s.t TO PUBLIC;
GRANT INSERT ON s.t TO postgres WITH GRANT OPTION;
GRANT UPDATE (b) ON s.t TO PUBLIC;
GRANT EXECUTE ON FUNCTION s.f() TO postgres;
RESET SESSION AUTHORIZATION;
-- What was passed on to the owner itself, who has nothing else: a column, a table, a sequence.
CREATE TABLE s.back(a int, b int); ALTER TABLE s.back OWNER TO app;
GRANT SELECT (a), UPDATE (a) ON s.back TO reader WITH GRANT OPTION;
CREATE TABLE s.lent(a int); ALTER TABLE s.lent OWNER TO app;
CREATE SEQUENCE s.q; ALTER SEQUENCE s.q OWNER TO app;
GRANT SELECT ON s.lent, s.q TO reader WITH GRANT OPTION;
REVOKE ALL ON s.lent, s.q FROM app; GRANT SELECT ON s.lent, s.q TO PUBLIC;
SET SESSION AUTHORIZATION reader;
GRANT SELECT (a) ON s.back TO app;
GRANT SELECT ON s.lent, s.q TO app;
RESET SESSION AUTHORIZATION;
-- A grant that stands before the option that it was made by.
CREATE TABLE s.older(a int); ALTER TABLE s.older OWNER TO app;
GRANT SELECT ON s.older TO reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION reader; GRANT SELECT ON s.older TO postgres WITH GRANT OPTION; RESET SESSION AUTHORIZATION;
GRANT INSERT ON s.older TO reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION reader; GRANT INSERT ON s.older TO postgres; RESET SESSION AUTHORIZATION;
