-- Single changes of tests/corpus/operator_classes.sql; `diff` must report each.
-- change: a loose member less
ALTER OPERATOR FAMILY whole USING btree DROP OPERATOR 5 (int8, int4);
-- change: a member of a class less
DELETE FROM pg_catalog.pg_amproc WHERE amprocnum = 2 AND amprocfamily = (SELECT opcfamily FROM pg_catalog.pg_opclass WHERE opcname = 'by_the_way');
-- change: storage
UPDATE pg_catalog.pg_opclass SET opckeytype = 0 WHERE opcname = 'near';
-- change: owner
ALTER OPERATOR CLASS by_the_way USING hash OWNER TO postgres;
-- change: class of an index
DROP INDEX with_class; CREATE INDEX with_class ON t (a);
