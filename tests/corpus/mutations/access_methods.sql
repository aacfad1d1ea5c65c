-- Single changes of tests/corpus/access_methods.sql; `diff` must report each.
-- change: access method of a table
UPDATE pg_catalog.pg_class SET relam = (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'heap') WHERE oid = 't'::regclass;
-- change: comment
COMMENT ON ACCESS METHOD heap_again IS NULL;
-- change: an access method less
DROP ACCESS METHOD "Tree Again" CASCADE;
