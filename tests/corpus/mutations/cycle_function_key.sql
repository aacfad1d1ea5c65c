-- Single changes of tests/corpus/cycle_function_key.sql; `diff` must report each.
-- change: body of a function
CREATE OR REPLACE FUNCTION needs_key() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT upper(a) FROM base GROUP BY id; END;
-- change: body of a procedure
CREATE OR REPLACE PROCEDURE also_needs() LANGUAGE sql BEGIN ATOMIC INSERT INTO base SELECT id + 2, a FROM base GROUP BY id; END;
-- change: grant
GRANT EXECUTE ON FUNCTION needs_key() TO PUBLIC;
-- change: default that needs the key
ALTER TABLE defaulted ALTER COLUMN a DROP DEFAULT;
