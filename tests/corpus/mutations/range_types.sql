-- Single changes of tests/corpus/range_types.sql; `diff` must report each.
-- change: difference function
UPDATE pg_catalog.pg_range SET rngsubdiff = 0 WHERE rngtypid = 'date_range'::regtype;
-- change: collation
UPDATE pg_catalog.pg_range SET rngcollation = 'pg_catalog."POSIX"'::regcollation WHERE rngtypid = 'text_range'::regtype;
-- change: name of a multirange
ALTER TYPE elsewhere.many RENAME TO several;
-- change: schema of a multirange
ALTER TYPE elsewhere.many SET SCHEMA public;
-- change: grant
GRANT USAGE ON TYPE text_range TO PUBLIC;
-- change: a bound
UPDATE t SET p = '[1.5,2]';
