-- Single changes of tests/corpus/foreign_keys_18.sql; `diff` must report each.
-- change: the whole key is validated
ALTER TABLE whole VALIDATE CONSTRAINT fk;
-- change: one partition more is validated
ALTER TABLE second VALIDATE CONSTRAINT fk;
-- change: the key is gone
ALTER TABLE whole DROP CONSTRAINT fk;
-- change: a row of a partition
DELETE FROM whole WHERE id = 11;
