-- Single changes of tests/corpus/names.sql; `diff` must report each.
-- change: case of a name
ALTER TABLE "Select"."table" RENAME COLUMN "Mixed Case" TO "mixed Case";
-- change: a line break in a name
ALTER TABLE "line
break" RENAME TO "line break";
-- change: a space at the end of a name
ALTER TABLE "user" RENAME TO "user ";
-- change: a backslash in a label
ALTER TYPE "Enum Type" RENAME VALUE 'back\slash' TO 'back/slash';
-- change: a composed character becomes a letter and its mark
ALTER TABLE "Select"."table" RENAME COLUMN U&"\00FC-\65E5\672C" TO U&"u\0308-\65E5\672C";
-- change: a line of a comment
COMMENT ON TABLE "line
break" IS E'a comment\n\\connect template1\n-- and its end.';
-- change: one value
UPDATE "Select"."table" SET "tab	in name" = 8;
