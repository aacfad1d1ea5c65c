-- Single changes of tests/corpus/indexes.sql; `diff` must report each.
-- change: collation of an index column
DROP INDEX plain; CREATE INDEX plain ON docs(id DESC NULLS LAST, t text_pattern_ops); COMMENT ON INDEX plain IS 'ordinary';
-- change: operator class of an index column
DROP INDEX plain; CREATE INDEX plain ON docs(id DESC NULLS LAST, t COLLATE "C"); COMMENT ON INDEX plain IS 'ordinary';
-- change: an index is no longer unique
DROP INDEX partial; CREATE INDEX partial ON docs(lower(t)) WHERE id > 10 AND t IS NOT NULL;
-- change: predicate
DROP INDEX partial; CREATE UNIQUE INDEX partial ON docs(lower(t)) WHERE id > 11 AND t IS NOT NULL;
-- change: method
DROP INDEX hashed; CREATE INDEX hashed ON docs (t);
-- change: an option of an index
ALTER INDEX gin_json SET (fastupdate = on);
-- change: statistics of an index expression
ALTER INDEX expressed ALTER COLUMN 1 SET STATISTICS 701;
-- change: an index left invalid by CREATE INDEX CONCURRENTLY
UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'covering'::regclass;
-- change: an index that is not ready
UPDATE pg_catalog.pg_index SET indisvalid = false, indisready = false WHERE indexrelid = 'covering'::regclass;
-- change: one value among many
UPDATE docs SET a = ARRAY[0] WHERE id = 77;
