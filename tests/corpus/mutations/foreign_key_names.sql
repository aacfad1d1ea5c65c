-- Single changes of tests/corpus/foreign_key_names.sql; `diff` must report each.
-- change: a partition's key gets a name of its own
ALTER TABLE keyed_same RENAME CONSTRAINT main TO mine;
-- change: a partition's key gets the parent's name
ALTER TABLE keyed_before RENAME CONSTRAINT "own 100%" TO main;
-- change: another name
ALTER TABLE keyed_after RENAME CONSTRAINT "re'named" TO other;
-- change: another name below
ALTER TABLE keyed_sub_old RENAME CONSTRAINT main TO other;
-- change: the name of the key that all come from
ALTER TABLE keyed RENAME CONSTRAINT main TO other;
-- change: names exchanged
ALTER TABLE keyed_twins RENAME CONSTRAINT x TO z; ALTER TABLE keyed_twins RENAME CONSTRAINT y TO x; ALTER TABLE keyed_twins RENAME CONSTRAINT z TO y;
-- change: a comment under such a name
COMMENT ON CONSTRAINT "own 100%" ON keyed_before IS 'other';
