-- Single changes of tests/corpus/transforms.sql; `diff` must report each.
-- change: one side less
CREATE OR REPLACE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION from_sql(internal));
-- change: comment
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS NULL;
-- change: transform of a function
UPDATE pg_catalog.pg_proc SET protrftypes = NULL WHERE proname = 'transformed';
