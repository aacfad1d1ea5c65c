-- Single changes of tests/corpus/public_owned_by_role.sql; `diff` must report each.
-- change: owner of public
ALTER SCHEMA public OWNER TO app;
-- change: grant on public
REVOKE CREATE ON SCHEMA public FROM app;
