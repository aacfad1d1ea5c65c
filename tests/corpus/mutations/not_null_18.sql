-- Single changes of tests/corpus/not_null_18.sql; `diff` must report each.
-- change: name of a NOT NULL
ALTER TABLE t RENAME CONSTRAINT "Quoted One" TO "Quoted Two";
-- change: a NOT NULL is validated
DELETE FROM t; ALTER TABLE t VALIDATE CONSTRAINT later;
-- change: inherited instead of not
ALTER TABLE t ALTER CONSTRAINT t_b_not_null INHERIT;
-- change: a check less that was not enforced
ALTER TABLE keyed DROP CONSTRAINT loose;
-- change: comment
COMMENT ON CONSTRAINT must ON t IS NULL;
