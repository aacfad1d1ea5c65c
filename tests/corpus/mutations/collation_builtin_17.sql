-- Single changes of tests/corpus/collation_builtin_17.sql; `diff` must report each.
-- change: locale
UPDATE pg_catalog.pg_collation SET colllocale = 'C' WHERE collname = 'built_in';
-- change: collation of an index
DROP INDEX lowered; CREATE INDEX lowered ON t (lower(a COLLATE "C"), b);
