-- Single changes of tests/corpus/languages.sql; `diff` must report each.
-- change: trust
UPDATE pg_catalog.pg_language SET lanpltrusted = false WHERE lanname = 'Trusted One';
-- change: validator
UPDATE pg_catalog.pg_language SET lanvalidator = 0 WHERE lanname = 'whole';
-- change: owner
ALTER LANGUAGE own OWNER TO postgres;
-- change: grant option
REVOKE GRANT OPTION FOR USAGE ON LANGUAGE "Trusted One" FROM reader;
-- change: comment
COMMENT ON LANGUAGE whole IS NULL;
