-- Single changes of tests/corpus/kinds_walk.sql; `diff` must report each.
-- change: target of an index column
ALTER INDEX te ALTER COLUMN 2 SET STATISTICS 98;
