-- Functions and procedures in several languages; bodies that look like the end of something.
CREATE FUNCTION add(a int, b int DEFAULT 5) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS 'SELECT a + b';
CREATE FUNCTION add(a text, VARIADIC b text[]) RETURNS text LANGUAGE sql STABLE AS $f$ SELECT a || array_to_string(b, $$,$$) $f$;
CREATE FUNCTION standard_body(x int) RETURNS TABLE(y int, z text) LANGUAGE sql ROWS 3 BEGIN ATOMIC SELECT x AS y, 'a;b'::text AS z; END;
CREATE FUNCTION looping(INOUT n int, OUT label text) LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, 'Odd Schema' SET work_mem = '1MB' AS $body$
BEGIN -- $$ and $body and \.
  n := n + 1; label := E'back\\slash ''quoted''';
END
$body$;
CREATE PROCEDURE proceed(a int, INOUT b text DEFAULT NULL) LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE uses_functions(a int DEFAULT add(1), b int GENERATED ALWAYS AS (add(a, 2)) STORED, CHECK (add(a) > 0));
INSERT INTO uses_functions VALUES (3), (DEFAULT);
CREATE FUNCTION takes_table(uses_functions) RETURNS int LANGUAGE sql AS 'SELECT $1.a';
CREATE VIEW uses_both AS SELECT takes_table(u) AS t, (standard_body(a)).y FROM uses_functions u;
CREATE FUNCTION polymorphic(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
COMMENT ON FUNCTION add(int, int) IS 'adds';
COMMENT ON PROCEDURE proceed IS 'commits';
