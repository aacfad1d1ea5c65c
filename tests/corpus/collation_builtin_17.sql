-- since 17
-- Collations of the provider builtin, from 17 on.
CREATE COLLATION built_in (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE COLLATION built_in_c (PROVIDER = builtin, LOCALE = 'C');
CREATE TABLE t(a text COLLATE built_in PRIMARY KEY, b text COLLATE built_in_c);
INSERT INTO t VALUES ('Zoë', 'x'), ('a', NULL);
CREATE INDEX lowered ON t (lower(a), b);
