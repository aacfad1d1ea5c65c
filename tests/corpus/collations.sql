-- Collations by libc, with locales apart and in one; what sorts by them.
CREATE COLLATION plain (LOCALE = 'C');
CREATE COLLATION apart (LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
CREATE COLLATION "Copied" FROM "C";
COMMENT ON COLLATION apart IS 'two';
CREATE TABLE t(a text COLLATE plain, b text COLLATE "Copied" DEFAULT ('x' COLLATE apart), c text[] COLLATE apart);
CREATE INDEX sorted ON t (a COLLATE "Copied", lower(b COLLATE plain));
CREATE VIEW v AS SELECT a COLLATE apart AS a, b FROM t ORDER BY b COLLATE plain;
CREATE DOMAIN d AS text COLLATE apart;
CREATE TYPE c AS (x text COLLATE plain);
CREATE TABLE p(k text COLLATE plain) PARTITION BY RANGE (k COLLATE "Copied");
INSERT INTO t VALUES ('a', 'b', '{c}');
