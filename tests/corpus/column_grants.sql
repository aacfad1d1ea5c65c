-- as superuser
-- Grants on columns: beside and without grants on the table, with grant option, on views, on system columns.
CREATE TABLE t(a int, "B b" int, c int);
GRANT SELECT (a, "B b"), UPDATE ("B b"), INSERT (c), REFERENCES (a) ON t TO reader;
GRANT SELECT (c) ON t TO app WITH GRANT OPTION;
GRANT SELECT ON t TO app;
GRANT SELECT (ctid) ON t TO reader;
CREATE VIEW v AS SELECT * FROM t;
GRANT UPDATE (a) ON v TO PUBLIC;
CREATE TABLE p(a int, b int) PARTITION BY LIST (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
GRANT SELECT (b) ON p TO reader; GRANT SELECT (a) ON p1 TO reader;
