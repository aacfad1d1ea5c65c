-- Single changes of tests/corpus/nulls_not_distinct.sql; `diff` must report each.
-- change: NULLS DISTINCT
DROP INDEX one_null; CREATE UNIQUE INDEX one_null ON by_index(a);
-- change: NULLS DISTINCT of a constraint
ALTER TABLE by_constraint DROP CONSTRAINT by_constraint_a_key, ADD UNIQUE (a);
-- change: columns of SET NULL
ALTER TABLE refers DROP CONSTRAINT refers_b_a_fkey, ADD FOREIGN KEY (b, a) REFERENCES pairs MATCH FULL ON DELETE SET NULL (a);
-- change: SET DEFAULT of all columns
ALTER TABLE defaults DROP CONSTRAINT defaults_b_a_fkey, ADD FOREIGN KEY (b, a) REFERENCES pairs ON DELETE SET DEFAULT;
