-- Single changes of tests/corpus/rights.sql; `diff` must report each.
-- change: grant option taken away
REVOKE GRANT OPTION FOR SELECT ON shared.open FROM reader;
-- change: one privilege less
REVOKE INSERT ON shared.open FROM reader;
-- change: a column's privilege less
REVOKE REFERENCES (id) ON shared.open FROM reader;
-- change: PUBLIC may no longer read
REVOKE SELECT ON shared.open FROM PUBLIC;
-- change: the owner may insert again
GRANT INSERT ON owned_by_app TO app;
-- change: another owner
ALTER TABLE owned_by_app OWNER TO postgres;
-- change: a function is open to all again
GRANT EXECUTE ON FUNCTION guarded() TO PUBLIC;
-- change: default privileges of a schema
ALTER DEFAULT PRIVILEGES IN SCHEMA shared REVOKE SELECT ON TABLES FROM reader;
-- change: default privileges of a role
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
-- change: the same grant by another grantor
REVOKE SELECT ON shared.open FROM PUBLIC; SET LOCAL ROLE reader; GRANT SELECT ON shared.open TO PUBLIC; RESET ROLE;
-- change: a policy made permissive
DROP POLICY own ON shared.open; CREATE POLICY own ON shared.open FOR UPDATE TO reader, app USING (id > 1) WITH CHECK (note <> ''); COMMENT ON POLICY own ON shared.open IS 'their own';
-- change: a role more in a policy
ALTER POLICY own ON shared.open TO reader, app, pg_monitor;
-- change: row security is no longer forced
ALTER TABLE owned_by_app NO FORCE ROW LEVEL SECURITY;
-- change: rights on the schema public
GRANT CREATE ON SCHEMA public TO PUBLIC;
