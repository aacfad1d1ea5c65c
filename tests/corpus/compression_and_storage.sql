-- as superuser
-- How columns are kept: storage, compression, statistics targets, options; how tables are: all options with their own types.
CREATE TABLE t(a text COMPRESSION pglz, b text, c int, d bytea);
ALTER TABLE t ALTER COLUMN b SET STORAGE PLAIN, ALTER COLUMN d SET STORAGE MAIN, ALTER COLUMN a SET STATISTICS 0, ALTER COLUMN c SET STATISTICS 1000;
ALTER TABLE t ALTER COLUMN c SET (n_distinct = -0.5, n_distinct_inherited = 100);
ALTER TABLE t SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.25, parallel_workers = 3, toast_tuple_target = 200, toast.autovacuum_enabled = off, log_autovacuum_min_duration = 100, user_catalog_table = true);
CREATE UNIQUE INDEX i ON t (c) WITH (fillfactor = 60, deduplicate_items = off);
CREATE INDEX g ON t USING gin (to_tsvector('simple', b)) WITH (fastupdate = off); CREATE INDEX br ON t USING brin (c) WITH (pages_per_range = 4, autosummarize = on);
INSERT INTO t VALUES (repeat('a', 5000), 'x', 1, decode(repeat('00ff', 3000), 'hex'));
ALTER TABLE t REPLICA IDENTITY NOTHING;
