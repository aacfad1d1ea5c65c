-- Single changes of tests/corpus/publications.sql; `diff` must report each.
-- change: operations
ALTER PUBLICATION everything SET (publish = 'insert');
-- change: a table less
ALTER PUBLICATION two DROP TABLE "U u";
-- change: a child more
ALTER PUBLICATION only_parent ADD TABLE child;
-- change: no longer through the root
ALTER PUBLICATION by_root SET (publish_via_partition_root = false);
-- change: owner
ALTER PUBLICATION "None at all" OWNER TO postgres;
