-- Single changes of tests/corpus/aggregates.sql; `diff` must report each.
-- change: initial value
UPDATE pg_catalog.pg_aggregate SET agginitval = '1' WHERE aggfnoid = 'everything()'::regprocedure;
-- change: shareability
UPDATE pg_catalog.pg_aggregate SET aggfinalmodify = 'w' WHERE aggfnoid = 'total(int)'::regprocedure;
-- change: size of the state
UPDATE pg_catalog.pg_aggregate SET aggtransspace = 129 WHERE aggfnoid = 'together(numeric)'::regprocedure;
-- change: sort operator
UPDATE pg_catalog.pg_aggregate SET aggsortop = 0 WHERE aggfnoid = 'smallest(int)'::regprocedure;
-- change: grant
GRANT EXECUTE ON FUNCTION everything() TO PUBLIC;
-- change: comment
COMMENT ON AGGREGATE everything(*) IS NULL;
