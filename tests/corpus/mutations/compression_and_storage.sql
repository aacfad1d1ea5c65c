-- Single changes of tests/corpus/compression_and_storage.sql; `diff` must report each.
-- change: compression
ALTER TABLE t ALTER COLUMN a SET COMPRESSION DEFAULT;
-- change: storage
ALTER TABLE t ALTER COLUMN b SET STORAGE EXTENDED;
-- change: statistics target
ALTER TABLE t ALTER COLUMN a SET STATISTICS -1;
-- change: an option of a column
ALTER TABLE t ALTER COLUMN c RESET (n_distinct_inherited);
-- change: an option of a table
ALTER TABLE t SET (parallel_workers = 4);
-- change: an option of the TOAST table
ALTER TABLE t RESET (toast.autovacuum_enabled);
-- change: an option of an index
ALTER INDEX i SET (deduplicate_items = on);
-- change: replica identity
ALTER TABLE t REPLICA IDENTITY FULL;
-- change: a byte far inside
UPDATE t SET d = set_byte(d, 4000, 7);
