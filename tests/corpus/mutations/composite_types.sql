-- Single changes of tests/corpus/composite_types.sql; `diff` must report each.
-- change: an attribute more
ALTER TYPE empty ADD ATTRIBUTE a int CASCADE;
-- change: name of an attribute
ALTER TYPE changed RENAME ATTRIBUTE c TO d CASCADE;
-- change: comment on an attribute
COMMENT ON COLUMN point3."Z z" IS NULL;
-- change: grant option
REVOKE GRANT OPTION FOR USAGE ON TYPE nested FROM reader;
-- change: a value deep inside
UPDATE holder SET n = ROW(ROW(1, 2.51, 'a "b"'), ARRAY[ROW(NULL, NULL, '')::point3], NULL);
