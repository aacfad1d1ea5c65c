-- Single changes of tests/corpus/statistics.sql; `diff` must report each.
-- change: kinds
DROP STATISTICS two; CREATE STATISTICS two (ndistinct) ON a, b FROM t; ALTER STATISTICS two SET STATISTICS 77; COMMENT ON STATISTICS two IS 's';
-- change: target
ALTER STATISTICS all_kinds SET STATISTICS -1;
-- change: expression
DROP STATISTICS single; CREATE STATISTICS single ON (a % 11) FROM t;
-- change: name
ALTER STATISTICS of_view RENAME TO of_views;
