-- as superuser
-- Cycle 1: a base type and its functions; a range, its canonical function and its difference.
CREATE TYPE t; CREATE FUNCTION t_in(cstring) RETURNS t LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION t_out(t) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE t (INPUT = t_in, OUTPUT = t_out, LIKE = int8);
CREATE TYPE r; CREATE FUNCTION r_canonical(r) RETURNS r LANGUAGE internal IMMUTABLE STRICT AS 'int8range_canonical';
CREATE TYPE r AS RANGE (SUBTYPE = int8, CANONICAL = r_canonical, SUBTYPE_DIFF = int8range_subdiff);
CREATE TABLE holds(a t, b r, c r[]); INSERT INTO holds VALUES ('5', '[1,4]', '{"[1,2)"}');
