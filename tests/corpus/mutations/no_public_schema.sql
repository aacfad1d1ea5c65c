-- Single changes of tests/corpus/no_public_schema.sql; `diff` must report each.
-- change: public again
CREATE SCHEMA public;
-- change: owner of a schema
ALTER SCHEMA ours OWNER TO reader;
