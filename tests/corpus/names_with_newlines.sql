-- as superuser
-- Names of every kind of object that hold newlines and psql commands: one line each, never an own one.
CREATE SCHEMA "s
\! touch x";
SET search_path = "s
\! touch x";
CREATE TYPE "e
\q" AS ENUM ('a
\.'); CREATE DOMAIN "d
" AS int CONSTRAINT "c
x" CHECK (VALUE > 0);
CREATE FUNCTION "f
\g"("a
b" int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE "t
DROP TABLE x;"("c
\connect x" int CONSTRAINT "k
" PRIMARY KEY, "e" "e
\q" DEFAULT 'a
\.');
INSERT INTO "t
DROP TABLE x;" VALUES (1, DEFAULT);
CREATE SEQUENCE "q
" OWNED BY "t
DROP TABLE x;"."c
\connect x";
CREATE INDEX "i
" ON "t
DROP TABLE x;" ("e"); CREATE VIEW "v
" AS SELECT "c
\connect x" AS "x
" FROM "t
DROP TABLE x;";
CREATE POLICY "p
" ON "t
DROP TABLE x;" USING (true); CREATE RULE "r
" AS ON DELETE TO "t
DROP TABLE x;" DO INSTEAD NOTHING;
CREATE FUNCTION "g
"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "tr
" BEFORE INSERT ON "t
DROP TABLE x;" FOR EACH ROW EXECUTE FUNCTION "g
"('arg
\.'); COMMENT ON TRIGGER "tr
" ON "t
DROP TABLE x;" IS 'x';
GRANT SELECT ("c
\connect x") ON "t
DROP TABLE x;" TO reader;
