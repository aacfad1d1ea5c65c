-- as superuser
-- Comments with every sort of trouble in them: newlines, psql commands, quotes, dollars, carriage returns, on indexes, keys and large objects.
CREATE TABLE t(a int CONSTRAINT k PRIMARY KEY, b int UNIQUE); CREATE INDEX i ON t (b);
COMMENT ON TABLE t IS E'\\connect template1\n\\! touch x\n\\.\n$$ $_$ '' " \\ :a :''b''';
COMMENT ON COLUMN t.a IS E'\r\n\t'; COMMENT ON INDEX i IS '-- not a comment'; COMMENT ON INDEX k IS '/* open'; COMMENT ON CONSTRAINT k ON t IS ';';
CREATE VIEW v AS SELECT 1 AS a; COMMENT ON VIEW v IS 'ü日本🐘'; COMMENT ON COLUMN v.a IS ' ';
SELECT lo_create(4716); COMMENT ON LARGE OBJECT 4716 IS E'\\\\';
