-- Single changes of tests/corpus/cycle_index.sql; `diff` must report each.
-- change: statistics of an index column
ALTER INDEX whole ALTER COLUMN 2 SET STATISTICS 34;
-- change: an index of all less
DROP INDEX key;
-- change: an index complete
CREATE INDEX p1_c ON p1 (c); ALTER INDEX parent_only ATTACH PARTITION p1_c;
-- change: a row of the last level
UPDATE p1b SET c = 'q';
-- change: name of an index of a partition
ALTER INDEX "Child First" RENAME TO "Child";
