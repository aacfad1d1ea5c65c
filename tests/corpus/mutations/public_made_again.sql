-- Single changes of tests/corpus/public_made_again.sql; `diff` must report each.
-- change: everybody may use public
GRANT USAGE ON SCHEMA public TO PUBLIC;
-- change: one role may use public
GRANT USAGE ON SCHEMA public TO reader;
-- change: owner of public
ALTER SCHEMA public OWNER TO app;
-- change: the usual comment of public
COMMENT ON SCHEMA public IS 'standard public schema';
