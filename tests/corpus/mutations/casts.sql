-- Single changes of tests/corpus/casts.sql; `diff` must report each.
-- change: context
UPDATE pg_catalog.pg_cast SET castcontext = 'e' WHERE castsource = 'int'::regtype AND casttarget = 'color'::regtype;
-- change: a cast less
DROP CAST (color AS bytea);
-- change: comment
COMMENT ON CAST (money_like AS numeric) IS NULL;
-- change: function of a cast
CREATE OR REPLACE FUNCTION to_number(money_like) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 1 + ($1).amount';
