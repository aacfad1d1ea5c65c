-- since 18
-- Virtual generated columns, from 18 on, beside stored ones, in partitions and children.
CREATE TABLE t(a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, s int GENERATED ALWAYS AS (a * 3) STORED, "V v" text GENERATED ALWAYS AS (a::text || 'x'));
CREATE TABLE child() INHERITS (t);
CREATE TABLE only_virtual(v int GENERATED ALWAYS AS (1 + 1) VIRTUAL);
CREATE TABLE p(a int, v int GENERATED ALWAYS AS (a + 1) VIRTUAL) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
INSERT INTO t VALUES (1), (NULL); INSERT INTO child VALUES (5); INSERT INTO only_virtual DEFAULT VALUES; INSERT INTO p VALUES (1);
CREATE VIEW w AS SELECT v, s FROM t; COMMENT ON COLUMN t.v IS 'computed';
