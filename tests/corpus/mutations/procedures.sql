-- Single changes of tests/corpus/procedures.sql; `diff` must report each.
-- change: body
CREATE OR REPLACE PROCEDURE run(a text) LANGUAGE sql AS 'SELECT 2';
-- change: setting
ALTER PROCEDURE "Odd Name" SET search_path = pg_catalog;
-- change: grant
GRANT EXECUTE ON PROCEDURE run(int) TO PUBLIC;
-- change: default
CREATE OR REPLACE PROCEDURE atomic(INOUT a int DEFAULT 4) LANGUAGE sql BEGIN ATOMIC SELECT a + 1; END;
