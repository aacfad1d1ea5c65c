-- Cycles 11 and 12: a domain and its checks, plain and through functions that take it.
CREATE DOMAIN d AS int CONSTRAINT plain CHECK (VALUE > 0);
CREATE FUNCTION takes(d) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER DOMAIN d ADD CONSTRAINT through_function CHECK (takes(VALUE));
COMMENT ON CONSTRAINT through_function ON DOMAIN d IS 'loop';
CREATE DOMAIN over_it AS d DEFAULT 5;
CREATE TABLE t(a d, b over_it, c d[]);
