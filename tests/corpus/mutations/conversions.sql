-- Single changes of tests/corpus/conversions.sql; `diff` must report each.
-- change: the default conversion
UPDATE pg_catalog.pg_conversion SET condefault = false WHERE conname = 'As Default';
-- change: owner
ALTER CONVERSION plain OWNER TO postgres;
-- change: comment
COMMENT ON CONVERSION own."As Default" IS NULL;
