-- Cycle 13: a table that depends on itself: generated columns, partition keys over columns and whole rows.
CREATE TABLE g(a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS (a::text || 'x') STORED, d int DEFAULT 1);
CREATE TABLE p(a int, b int) PARTITION BY RANGE ((a + b), a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE, MINVALUE) TO (MAXVALUE, MAXVALUE);
CREATE TABLE r(a int, b int) PARTITION BY LIST ((r.a IS NULL));
CREATE TABLE r1 PARTITION OF r DEFAULT;
INSERT INTO g VALUES (4); INSERT INTO p VALUES (1, 2); INSERT INTO r VALUES (1, 2);
