-- Composite types: empty, nested, with collations, comments on attributes, a dropped attribute, an array type whose usual name is taken.
CREATE TYPE empty AS ();
CREATE TYPE point3 AS (x int, y numeric(10, 2), "Z z" text COLLATE "C");
CREATE TYPE changed AS (a int, gone text, b varchar(7));
ALTER TYPE changed DROP ATTRIBUTE gone, ADD ATTRIBUTE c timestamptz(3);
CREATE TYPE nested AS (p point3, ps point3[], c changed);
COMMENT ON TYPE point3 IS 'a point';
COMMENT ON COLUMN point3."Z z" IS 'the third';
CREATE TABLE holder(n nested, e empty, a changed[]);
INSERT INTO holder VALUES (ROW(ROW(1, 2.5, 'a "b"'), ARRAY[ROW(NULL, NULL, '')::point3], NULL), ROW(), '{}');
GRANT USAGE ON TYPE nested TO reader WITH GRANT OPTION;
CREATE TYPE _taken AS ENUM ('x');
CREATE TYPE taken AS (a int);
CREATE TABLE uses_taken(t taken[]);
INSERT INTO uses_taken VALUES (ARRAY[ROW(1)::taken]);
