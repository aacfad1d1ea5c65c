-- Domains: of domains, of arrays, of composites, with collation, default, several checks, comments, NOT VALID.
CREATE DOMAIN year AS int DEFAULT 2000 CONSTRAINT low CHECK (VALUE > 1900) CONSTRAINT high CHECK (VALUE < 3000);
CREATE DOMAIN era AS year NOT NULL CHECK (VALUE % 100 = 0);
CREATE DOMAIN word AS varchar(20) COLLATE "C" CHECK (VALUE !~ '\s');
CREATE DOMAIN words AS word[] CHECK (array_length(VALUE, 1) < 4);
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN ordered_pair AS pair CHECK ((VALUE).a <= (VALUE).b);
ALTER DOMAIN word ADD CONSTRAINT later CHECK (VALUE <> 'forbidden') NOT VALID;
COMMENT ON DOMAIN year IS 'a year';
COMMENT ON CONSTRAINT low ON DOMAIN year IS 'not too early';
COMMENT ON CONSTRAINT later ON DOMAIN word IS 'some day';
REVOKE USAGE ON TYPE year FROM PUBLIC;
GRANT USAGE ON TYPE year TO reader;
CREATE TABLE t(y year, e era, w word, ws words, p ordered_pair, ps ordered_pair[]);
INSERT INTO t VALUES (2001, 2100, 'x', '{a,b}', ROW(1, 2), ARRAY[ROW(3, 3)::ordered_pair]), (DEFAULT, 2000, NULL, NULL, NULL, NULL);
