-- Single changes of tests/corpus/functions.sql; `diff` must report each.
-- change: one space in a body
CREATE OR REPLACE FUNCTION add(a int, b int DEFAULT 5) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS 'SELECT a  + b';
-- change: a setting of a function
ALTER FUNCTION looping SET work_mem = '2MB';
-- change: an element of a list setting
ALTER FUNCTION looping SET search_path TO pg_catalog, 'odd schema';
-- change: a function runs as its caller
ALTER FUNCTION looping SECURITY INVOKER;
-- change: expected rows
ALTER FUNCTION standard_body ROWS 4;
-- change: name of an argument
DROP FUNCTION many(); CREATE FUNCTION many(OUT n int) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
-- change: default of an argument of a procedure
DROP PROCEDURE proceed; CREATE PROCEDURE proceed(a int, INOUT b text DEFAULT '') LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
-- change: default that calls a function
ALTER TABLE uses_functions ALTER COLUMN a SET DEFAULT add(2);
-- change: rights to execute
REVOKE EXECUTE ON FUNCTION many() FROM PUBLIC;
