-- Names that want quoting, and names that try to become something else.
CREATE SCHEMA "Select";
CREATE SCHEMA "with ""quotes"" and 'apostrophes'";
CREATE TABLE "Select"."table" ("column" int PRIMARY KEY, "Mixed Case" text, "ü-日本" int, "tab	in name" int DEFAULT 7);
INSERT INTO "Select"."table" VALUES (1, 'x', 2, 3);
CREATE TABLE "with ""quotes"" and 'apostrophes'"."semi;colon -- comment" ("a""b" int, "c\d" text, "$$" text);
INSERT INTO "with ""quotes"" and 'apostrophes'"."semi;colon -- comment" VALUES (1, '\', '$$');
CREATE TABLE "line
break" ("line
break" int);
COMMENT ON TABLE "line
break" IS E'a comment\n\\connect template1\n-- and its end';
CREATE TABLE "63_bytes_of_name_63_bytes_of_name_63_bytes_of_name_63_bytes_of_" ("63_bytes_of_name_63_bytes_of_name_63_bytes_of_name_63_bytes_of_" serial);
CREATE INDEX "order" ON "Select"."table" ("Mixed Case", ("ü-日本" + 1));
CREATE VIEW "Select"."view" AS SELECT "column" AS "from", "Mixed Case" AS "where" FROM "Select"."table";
CREATE TYPE "Enum Type" AS ENUM ('it''s', 'a "b"', 'back\slash', '');
CREATE TABLE "user" ("group" "Enum Type" DEFAULT 'it''s', "all" "Enum Type"[]);
INSERT INTO "user" VALUES ('back\slash', '{"it''s","a \"b\"",""}');
