-- Single changes of tests/corpus/collations_icu.sql; `diff` must report each.
-- change: determinism of a collation
UPDATE pg_catalog.pg_collation SET collisdeterministic = true WHERE collname = 'ignoring_case';
-- change: collation of an ordering
CREATE OR REPLACE VIEW v AS SELECT a, b FROM t ORDER BY b;
-- change: collation of a column
DROP VIEW v; ALTER TABLE t ALTER COLUMN b TYPE text COLLATE "C"; CREATE VIEW v AS SELECT a, b FROM t ORDER BY b COLLATE german;
-- change: case of a letter that is equal by the collation
UPDATE t SET a = 'STRASSE' WHERE a = 'strasse' AND b = 'z';
