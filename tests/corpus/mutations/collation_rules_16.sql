-- Single changes of tests/corpus/collation_rules_16.sql; `diff` must report each.
-- change: rules of a collation
UPDATE pg_catalog.pg_collation SET collicurules = '&a < h' WHERE collname = 'ruled';
-- change: comment
COMMENT ON COLLATION ruled IS NULL;
-- change: a row less
DELETE FROM t WHERE a = 'g';
