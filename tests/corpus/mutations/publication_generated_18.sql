-- Single changes of tests/corpus/publication_generated_18.sql; `diff` must report each.
-- change: generated columns
ALTER PUBLICATION stored SET (publish_generated_columns = none);
-- change: columns
ALTER PUBLICATION listed SET TABLE t (a);
