-- Single changes of tests/corpus/cycle_type_function.sql; `diff` must report each.
-- change: difference function
UPDATE pg_catalog.pg_range SET rngsubdiff = 0 WHERE rngtypid = 'r'::regtype;
-- change: canonical function
UPDATE pg_catalog.pg_range SET rngcanonical = 0 WHERE rngtypid = 'r'::regtype;
-- change: a value
UPDATE holds SET b = '[1,5]';
