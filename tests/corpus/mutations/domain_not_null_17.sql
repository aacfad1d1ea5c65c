-- Single changes of tests/corpus/domain_not_null_17.sql; `diff` must report each.
-- change: NOT NULL less
ALTER DOMAIN by_default DROP NOT NULL;
-- change: name of a constraint
ALTER DOMAIN named RENAME CONSTRAINT must_be TO may_be;
-- change: comment
COMMENT ON CONSTRAINT must_be ON DOMAIN named IS NULL;
