-- Single changes of tests/corpus/default_privileges.sql; `diff` must report each.
-- change: a grant option
ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE GRANT OPTION FOR INSERT ON TABLES FROM reader;
-- change: the owner's own rights
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO app;
-- change: of a schema
ALTER DEFAULT PRIVILEGES FOR ROLE reader IN SCHEMA s REVOKE DELETE ON TABLES FROM app;
-- change: of functions
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
