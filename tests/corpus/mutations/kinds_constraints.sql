-- Single changes of tests/corpus/kinds_constraints.sql; `diff` must report each.
-- change: a constraint is validated in a parent
UPDATE q SET a = 1; ALTER TABLE r_child DISABLE TRIGGER ALL; UPDATE r_child SET a = 1; ALTER TABLE q VALIDATE CONSTRAINT late;
-- change: a local constraint of a partition less
ALTER TABLE p2 DROP CONSTRAINT own;
-- change: a constraint of all less
ALTER TABLE p DROP CONSTRAINT here;
-- change: NO INHERIT less
ALTER TABLE p2 DROP CONSTRAINT own, ADD CONSTRAINT own CHECK (b > 0) NOT VALID;
