-- Single changes of tests/corpus/schemas.sql; `diff` must report each.
-- change: owner
ALTER SCHEMA owned OWNER TO postgres;
-- change: grant option
REVOKE GRANT OPTION FOR CREATE ON SCHEMA owned FROM reader;
-- change: comment on public
COMMENT ON SCHEMA public IS 'standard public schema';
-- change: grant on public
GRANT USAGE ON SCHEMA public TO PUBLIC;
-- change: a schema less
DROP SCHEMA "With Upper";
