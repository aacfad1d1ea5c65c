-- Single changes of tests/corpus/cycle_materialized_view.sql; `diff` must report each.
-- change: cluster mark
ALTER MATERIALIZED VIEW postponed SET WITHOUT CLUSTER;
-- change: a filled one is emptied
REFRESH MATERIALIZED VIEW above WITH NO DATA;
-- change: statistics target
ALTER MATERIALIZED VIEW postponed ALTER COLUMN a SET STATISTICS 8;
-- change: an index less
DROP INDEX on_above;
-- change: grant
REVOKE SELECT ON postponed FROM reader;
