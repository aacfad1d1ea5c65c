-- Single changes of tests/corpus/names_with_newlines.sql; `diff` must report each.
-- change: a line break in a label
ALTER TYPE "s
\! touch x"."e
\q" RENAME VALUE E'a\n\\.' TO 'a \.';
-- change: a line break less in a name
ALTER TABLE "s
\! touch x"."t
DROP TABLE x;" RENAME TO "t DROP TABLE x;";
-- change: a value
DELETE FROM "s
\! touch x"."t
DROP TABLE x;" WHERE false; TRUNCATE "s
\! touch x"."t
DROP TABLE x;";
-- change: the schema
ALTER SCHEMA "s
\! touch x" RENAME TO "s \! touch x";
