-- Single changes of tests/corpus/data_sequences.sql; `diff` must report each.
-- change: one further down
ALTER SEQUENCE down RESTART; SELECT setval('down', -2, true);
-- change: the highest, not used
ALTER SEQUENCE highest RESTART WITH 9223372036854775807;
-- change: a cached number
ALTER SEQUENCE small CACHE 11;
-- change: a sequence that no longer turns
ALTER SEQUENCE turning NO CYCLE;
