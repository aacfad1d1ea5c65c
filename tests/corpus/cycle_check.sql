-- Cycles 6 and 7: a table and its checks, plain and through functions over its row type.
CREATE TABLE t(a int, b text, CONSTRAINT plain CHECK (a > 0));
CREATE FUNCTION whole_row(t) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < 100';
ALTER TABLE t ADD CONSTRAINT through_row CHECK (whole_row(t));
COMMENT ON CONSTRAINT through_row ON t IS 'of a row';
INSERT INTO t VALUES (1, 'x');
