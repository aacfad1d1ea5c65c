-- Single changes of tests/corpus/inheritance_order.sql; `diff` must report each.
-- change: a row of a grandchild
UPDATE ONLY grandchild SET mid = 'u';
-- change: inheritance given up
ALTER TABLE grandchild NO INHERIT later;
-- change: a default of a parent
ALTER TABLE measure ALTER COLUMN mid SET DEFAULT 'n';
-- change: nullability of a child
ALTER TABLE own_order ALTER COLUMN amount DROP NOT NULL;
-- change: a column more in a parent
ALTER TABLE other_parent ADD COLUMN more int;
