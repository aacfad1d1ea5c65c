-- Single changes of tests/corpus/inheritance.sql; `diff` must report each.
-- change: a default taken back
ALTER TABLE diamond ALTER COLUMN x SET DEFAULT 1;
-- change: a default of a child
ALTER TABLE left_one ALTER COLUMN y DROP DEFAULT;
-- change: inheritance given up
ALTER TABLE joined NO INHERIT a;
-- change: one parent less
ALTER TABLE diamond NO INHERIT right_one;
-- change: a check that stops
ALTER TABLE b DROP CONSTRAINT own;
-- change: comment
COMMENT ON COLUMN diamond.x IS NULL;
-- change: a row of the lowest
UPDATE diamond SET d = 9;
-- change: a check is validated above
ALTER TABLE online VALIDATE CONSTRAINT later;
-- change: comment on what is validated below
COMMENT ON CONSTRAINT later ON online_child IS NULL;
