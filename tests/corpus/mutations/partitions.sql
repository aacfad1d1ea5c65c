-- Single changes of tests/corpus/partitions.sql; `diff` must report each.
-- change: bound of a partition
TRUNCATE hashed; ALTER TABLE events DETACH PARTITION attached_later; DELETE FROM attached_later; ALTER TABLE events ATTACH PARTITION attached_later FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2024-01-01 00:00:00+00');
-- change: a partition becomes the default one
ALTER TABLE listed DETACH PARTITION listed_a; ALTER TABLE listed DETACH PARTITION listed_rest; ALTER TABLE listed ATTACH PARTITION listed_a DEFAULT;
-- change: a value of a list partition
ALTER TABLE listed DETACH PARTITION listed_a; ALTER TABLE listed ATTACH PARTITION listed_a FOR VALUES IN ('a', NULL);
-- change: a partition more
CREATE TABLE no_partitions_1 PARTITION OF no_partitions FOR VALUES FROM (1, 1) TO (2, 2);
-- change: a default of one partition
ALTER TABLE attached_later ALTER COLUMN kind SET DEFAULT 'other';
-- change: state of a trigger in one partition
ALTER TABLE events_2024 DISABLE TRIGGER on_all;
-- change: trigger of the whole table
DROP TRIGGER on_all ON events;
-- change: an index of one partition
DROP INDEX own_index;
-- change: an option of one partition
ALTER TABLE listed_rest SET (fillfactor = 51);
-- change: rows exchanged between partitions of a hash
UPDATE hashed SET event = NULL, event_at = NULL WHERE id = 1;
-- change: a foreign key less
ALTER TABLE hashed DROP CONSTRAINT hashed_event_event_at_fkey;
