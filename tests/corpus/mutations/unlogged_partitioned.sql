-- Single changes of tests/corpus/unlogged_partitioned.sql; `diff` must report each.
-- change: a partitioned table becomes logged
DROP TABLE none; CREATE TABLE none(a int) PARTITION BY RANGE (a);
-- change: a default in it
ALTER TABLE ONLY parts ALTER COLUMN note SET DEFAULT 'other';
-- change: a foreign key less
ALTER TABLE parts DROP CONSTRAINT parts_key_fkey;
-- change: a partition less
ALTER TABLE parts DETACH PARTITION part1;
