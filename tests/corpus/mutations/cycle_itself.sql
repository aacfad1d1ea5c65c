-- Single changes of tests/corpus/cycle_itself.sql; `diff` must report each.
-- change: a default
ALTER TABLE g ALTER COLUMN d SET DEFAULT 2;
-- change: a row
UPDATE r1 SET b = 3;
-- change: a partition less
DROP TABLE p1;
