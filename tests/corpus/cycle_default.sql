-- Cycles 8 and 10: a table and its defaults, plain, of a sequence it owns, through functions over its row type.
CREATE TABLE t(a serial, b int DEFAULT 3, c int);
CREATE FUNCTION of_row(t) RETURNS int LANGUAGE sql AS 'SELECT 7';
ALTER TABLE t ALTER COLUMN c SET DEFAULT of_row(NULL::t);
CREATE SEQUENCE other; CREATE TABLE u(a int DEFAULT nextval('other'), b t, c int DEFAULT of_row(ROW(1, 2, 3)::t));
ALTER SEQUENCE other OWNED BY u.a;
INSERT INTO t(b) VALUES (1), (2); INSERT INTO u(b) VALUES (ROW(1, 2, NULL)::t);
