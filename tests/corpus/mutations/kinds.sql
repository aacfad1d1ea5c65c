-- Single changes of tests/corpus/kinds.sql; `diff` must report each.
-- change: initial value of an aggregate
DROP AGGREGATE k.my_sum(int); CREATE AGGREGATE k.my_sum(int) (sfunc = int4pl, stype = int, initcond = '1', combinefunc = int4pl, parallel = safe);
-- change: an aggregate without its parallel half
DROP AGGREGATE k.my_sum(int); CREATE AGGREGATE k.my_sum(int) (sfunc = int4pl, stype = int, initcond = '0', parallel = safe);
-- change: estimator of an operator
ALTER OPERATOR k.=== (int, int) SET (RESTRICT = neqsel);
-- change: a member of an operator family less
ALTER OPERATOR FAMILY k.of USING btree DROP OPERATOR 1 (int8, int4);
-- change: mapping of a text search configuration
ALTER TEXT SEARCH CONFIGURATION k.c ALTER MAPPING FOR word WITH simple;
-- change: order of dictionaries
ALTER TEXT SEARCH CONFIGURATION k.c ALTER MAPPING FOR word WITH english_stem, simple;
-- change: option of a dictionary
ALTER TEXT SEARCH DICTIONARY k.d (accept = true);
-- change: password of a user mapping
ALTER USER MAPPING FOR reader SERVER s OPTIONS (SET password 'other');
-- change: an option of a foreign column
ALTER FOREIGN TABLE k.ft ALTER COLUMN a OPTIONS (SET x 'z');
-- change: a server's version
ALTER SERVER s VERSION 'w';
-- change: an event trigger enabled
ALTER EVENT TRIGGER et ENABLE ALWAYS;
-- change: operations of a publication
ALTER PUBLICATION p1 SET (publish = 'insert');
-- change: extended statistics less
DROP STATISTICS k.st2;
-- change: a row twice
INSERT INTO k.uses SELECT * FROM k.uses;
-- change: rights on a built-in language
GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC;
-- change: a shell type less
DROP TYPE k.sh;
