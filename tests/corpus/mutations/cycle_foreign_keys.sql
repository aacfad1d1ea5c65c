-- Single changes of tests/corpus/cycle_foreign_keys.sql; `diff` must report each.
-- change: a foreign key less
ALTER TABLE a DROP CONSTRAINT a_b_fkey;
-- change: deferrability
ALTER TABLE b ALTER CONSTRAINT b_c_fkey NOT DEFERRABLE;
-- change: a reference
UPDATE a SET b = NULL;
-- change: a reference to itself
UPDATE self SET up = NULL WHERE id = 3;
