-- Single changes of tests/corpus/operators.sql; `diff` must report each.
-- change: estimator
ALTER OPERATOR "Op s".=== (int, int) SET (RESTRICT = neqsel);
-- change: hashes
UPDATE pg_catalog.pg_operator SET oprcanhash = false WHERE oprname = '===' AND oprcanhash AND oprnamespace = '"Op s"'::regnamespace;
-- change: negator
UPDATE pg_catalog.pg_operator SET oprnegate = 0 WHERE oprname IN ('===', '!==') AND oprnamespace = '"Op s"'::regnamespace;
-- change: owner
ALTER OPERATOR "Op s".=== (int, int) OWNER TO postgres;
-- change: comment
COMMENT ON OPERATOR "Op s".@-@ (NONE, int) IS NULL;
