-- Single changes of tests/corpus/enums.sql; `diff` must report each.
-- change: a label at the end
ALTER TYPE nothing ADD VALUE 'something';
-- change: order of labels
UPDATE pg_catalog.pg_enum SET enumsortorder = 100 WHERE enumlabel = 'a' AND enumtypid = 'ordered'::regtype;
-- change: line break in a label
ALTER TYPE "Odd ""Enum""" RENAME VALUE E'new\nline' TO 'new line';
-- change: a value
UPDATE t SET a = 'b';
-- change: grant
GRANT USAGE ON TYPE nothing TO PUBLIC;
