-- Single changes of tests/corpus/base_types.sql; `diff` must report each.
-- change: delimiter
UPDATE pg_catalog.pg_type SET typdelim = ',' WHERE typname = 'Upper Base';
-- change: default
UPDATE pg_catalog.pg_type SET typdefault = 'its' WHERE typname = 'Upper Base';
-- change: storage
UPDATE pg_catalog.pg_type SET typstorage = 'm' WHERE typname = 'Upper Base';
-- change: alignment
UPDATE pg_catalog.pg_type SET typalign = 'i' WHERE typname = 'fixed';
-- change: a shell less
DROP TYPE never_defined;
-- change: a value
UPDATE t SET a = 'x;z' WHERE b IS NOT NULL;
