-- as superuser
-- Operators: prefix, commutators and negators, of a schema with an odd name, with comments and owners.
CREATE SCHEMA "Op s";
CREATE FUNCTION "Op s".same(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION "Op s".other(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> $2';
CREATE OPERATOR "Op s".=== (FUNCTION = "Op s".same, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR("Op s".===), NEGATOR = OPERATOR("Op s".!==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR "Op s".!== (FUNCTION = "Op s".other, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR("Op s".!==), NEGATOR = OPERATOR("Op s".===));
CREATE OPERATOR "Op s".@-@ (FUNCTION = int4um, RIGHTARG = int);
COMMENT ON OPERATOR "Op s".@-@ (NONE, int) IS 'minus';
ALTER OPERATOR "Op s".=== (int, int) OWNER TO app;
CREATE TABLE t(a int, CHECK (a OPERATOR("Op s".===) a));
CREATE VIEW v AS SELECT OPERATOR("Op s".@-@) a AS minus FROM t WHERE a OPERATOR("Op s".!==) 3;
INSERT INTO t VALUES (1);
