-- Single changes of tests/corpus/temporal_18.sql; `diff` must report each.
-- change: a key with overlaps
ALTER TABLE u DROP CONSTRAINT u_uq, ADD CONSTRAINT u_uq UNIQUE (id, valid) DEFERRABLE;
-- change: a foreign key less
ALTER TABLE f DROP CONSTRAINT f_parent_valid_fkey;
-- change: comment
COMMENT ON CONSTRAINT t_pk ON t IS NULL;
-- change: a period
UPDATE t SET x = 3 WHERE x = 2;
