-- as superuser
-- Casts: with function, without, through text, implicit, by assignment; a view that needs one.
CREATE TYPE money_like AS (amount numeric, currency text);
CREATE TYPE color AS ENUM ('red', 'green');
CREATE FUNCTION to_number(money_like) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT ($1).amount';
CREATE FUNCTION to_color(int, int, bool) RETURNS color LANGUAGE sql IMMUTABLE AS 'SELECT ''red''::color';
CREATE CAST (money_like AS numeric) WITH FUNCTION to_number(money_like) AS IMPLICIT;
CREATE CAST (int AS color) WITH FUNCTION to_color(int, int, bool) AS ASSIGNMENT;
CREATE CAST (color AS bytea) WITH INOUT;
CREATE DOMAIN plain AS int;
CREATE TYPE alike; CREATE FUNCTION alike_in(cstring) RETURNS alike LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION alike_out(alike) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE alike (INPUT = alike_in, OUTPUT = alike_out, LIKE = int4);
CREATE CAST (alike AS int) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (int AS alike) WITHOUT FUNCTION;
COMMENT ON CAST (money_like AS numeric) IS 'drops the currency';
CREATE TABLE t(m money_like, a alike);
INSERT INTO t VALUES (ROW(1.5, 'EUR'), '7');
CREATE VIEW sums AS SELECT m::numeric + 1 AS more, a::int AS four FROM t;
