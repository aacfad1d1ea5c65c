-- Single changes of tests/corpus/cycle_default.sql; `diff` must report each.
-- change: default through the row
ALTER TABLE t ALTER COLUMN c DROP DEFAULT;
-- change: default with another row
ALTER TABLE u ALTER COLUMN c SET DEFAULT of_row(ROW(1, 2, 4)::t);
-- change: owner of a sequence
ALTER SEQUENCE other OWNED BY NONE;
-- change: a value
UPDATE u SET a = 9;
