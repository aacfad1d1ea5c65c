-- Single changes of tests/corpus/cycles.sql; `diff` must report each.
-- change: the function that a check calls
CREATE OR REPLACE FUNCTION of_row(base) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.id IS NOT NULL OR true';
-- change: the view at the bottom
CREATE OR REPLACE VIEW first AS SELECT 1 AS x UNION SELECT count(*)::int FROM base;
-- change: the default that needs a function
ALTER TABLE base ALTER COLUMN a SET DEFAULT 1;
-- change: the check that needs a function
ALTER TABLE base DROP CONSTRAINT checked_by_row;
-- change: the domain's check
ALTER DOMAIN checked_domain DROP CONSTRAINT checked_domain_check;
-- change: the body that needs a key
CREATE OR REPLACE FUNCTION needs_key() RETURNS TABLE(id int, a int) LANGUAGE sql BEGIN ATOMIC SELECT id, a + 1 FROM base GROUP BY id; END;
-- change: a row that the domain guards
UPDATE uses_domain SET d = 5;
