-- Extended statistics: kinds, expressions, targets, of partitioned tables and materialized views, comments.
CREATE TABLE t(a int, b int, "C c" text);
CREATE STATISTICS all_kinds ON a, b, "C c" FROM t;
CREATE STATISTICS two (ndistinct, mcv) ON a, b FROM t;
CREATE STATISTICS "Expr" (mcv, dependencies) ON (a + b), lower("C c") , b FROM t;
CREATE STATISTICS single ON (a % 10) FROM t;
ALTER STATISTICS two SET STATISTICS 77;
ALTER STATISTICS all_kinds SET STATISTICS 0;
COMMENT ON STATISTICS two IS 's';
CREATE TABLE p(a int, b int) PARTITION BY LIST (a);
CREATE STATISTICS of_partitioned ON a, b FROM p;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a, 2 AS b;
CREATE STATISTICS of_view ON a, b FROM m;
INSERT INTO t SELECT n, n, 'x' FROM generate_series(1, 100) n;
ANALYZE t;
