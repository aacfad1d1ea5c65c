-- Cycle 9: indexes of partitioned tables and of their partitions, three levels, attached later, one never complete.
CREATE TABLE p(a int NOT NULL, b int, c text) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY LIST (b);
CREATE TABLE p1a PARTITION OF p1 FOR VALUES IN (1); CREATE TABLE p1b PARTITION OF p1 DEFAULT;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE INDEX whole ON p (b, lower(c)); CREATE UNIQUE INDEX key ON p (a, b); ALTER TABLE p ADD UNIQUE (a, b, c);
CREATE INDEX "Child First" ON p2 (c); CREATE INDEX parent_only ON ONLY p (c);
ALTER INDEX parent_only ATTACH PARTITION "Child First";
CREATE TABLE refers(a int, b int, c text, FOREIGN KEY (a, b, c) REFERENCES p (a, b, c));
COMMENT ON INDEX "Child First" IS 'i'; ALTER INDEX whole ALTER COLUMN 2 SET STATISTICS 33;
INSERT INTO p VALUES (1, 1, 'x'), (2, 2, 'y'), (11, NULL, 'z'); INSERT INTO refers VALUES (1, 1, 'x');
