-- Single changes of tests/corpus/virtual_generated_18.sql; `diff` must report each.
-- change: expression
ALTER TABLE only_virtual ALTER COLUMN v SET EXPRESSION AS (1 + 2);
-- change: stored instead of virtual
ALTER TABLE only_virtual DROP COLUMN v, ADD COLUMN v int GENERATED ALWAYS AS (1 + 1) STORED;
-- change: a row of a child
UPDATE child SET a = 6;
