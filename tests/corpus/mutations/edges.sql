-- Single changes of tests/corpus/edges.sql; `diff` must report each.
-- change: default of a typed table's column
ALTER TABLE typed ALTER COLUMN no SET DEFAULT 6;
-- change: an ordinary table instead of a typed one
ALTER TABLE typed2 NOT OF;
-- change: an index completed
ALTER INDEX p_only RENAME TO p_whole;
-- change: deferred constraint
ALTER TABLE fk1 ALTER CONSTRAINT fkp NOT DEFERRABLE;
-- change: a late column less
ALTER TABLE a1 DROP COLUMN late;
-- change: function over a row type
CREATE OR REPLACE FUNCTION dflt(a1) RETURNS int LANGUAGE sql AS 'select 2';
-- change: a domain's constraint less
ALTER DOMAIN dd DROP CONSTRAINT notv;
-- change: the rule that notifies
CREATE OR REPLACE RULE notify AS ON UPDATE TO tb DO ALSO (INSERT INTO ta VALUES (2); NOTIFY x); ALTER TABLE tb DISABLE RULE notify;
-- change: a materialized view over a view is filled
REFRESH MATERIALIZED VIEW m1;
-- change: a value not yet given
ALTER TABLE ul ALTER COLUMN a DROP DEFAULT;
-- change: a sequence that was set by hand
ALTER SEQUENCE ul_a_seq RESTART WITH 42;
-- change: a variadic argument's name
DROP FUNCTION "x.y"."F n"(int, text[]); CREATE FUNCTION "x.y"."F n"("A b" int, VARIADIC "d" text[]) RETURNS TABLE ("o 1" int) LANGUAGE sql AS $$ SELECT 1 $$; COMMENT ON FUNCTION "x.y"."F n"(int, text[]) IS 'f';
-- change: a comment on the schema public
COMMENT ON SCHEMA public IS 'yours';
