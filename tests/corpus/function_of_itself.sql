-- A function in standard SQL that calls itself, which the server only takes when there is one already.
CREATE FUNCTION itself(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
CREATE OR REPLACE FUNCTION itself(n int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN n <= 0 THEN 0 ELSE itself(n - 1) + 1 END;
CREATE FUNCTION "counts;down"(n int, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql BEGIN ATOMIC SELECT 1, 'x'; END;
CREATE OR REPLACE FUNCTION "counts;down"(n int, OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql
    BEGIN ATOMIC SELECT n, ';' UNION ALL SELECT r.a, r.b FROM "counts;down"(n - 1) r WHERE n > 0; END;
CREATE TABLE uses(a int GENERATED ALWAYS AS (itself(2)) STORED, b int); INSERT INTO uses (b) VALUES (1);
