-- Single changes of tests/corpus/enum_hash_partitions.sql; `diff` must report each.
-- change: a row less
DELETE FROM by_two WHERE k = 2;
-- change: a label
ALTER TYPE e RENAME VALUE 'd' TO 'z';
