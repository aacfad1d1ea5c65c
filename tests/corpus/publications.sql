-- as superuser
-- Publications: of all tables, of some, of none, what they publish, through the root, owner, comment.
CREATE TABLE t(a int PRIMARY KEY); CREATE TABLE "U u"(a int PRIMARY KEY); CREATE TABLE child() INHERITS (t);
CREATE TABLE p(a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION two FOR TABLE t, "U u" WITH (publish = 'delete');
CREATE PUBLICATION only_parent FOR TABLE ONLY t;
CREATE PUBLICATION by_root FOR TABLE p WITH (publish_via_partition_root = true);
CREATE PUBLICATION "None at all" WITH (publish = '');
ALTER PUBLICATION "None at all" OWNER TO app;
COMMENT ON PUBLICATION two IS 'two tables';
