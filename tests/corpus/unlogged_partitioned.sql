-- until 17
-- Unlogged partitioned tables: 18 refuses them. A foreign key to an unlogged table wants one.
CREATE UNLOGGED TABLE keys(id int PRIMARY KEY);
CREATE UNLOGGED TABLE parts(id int NOT NULL, "key" int REFERENCES keys, note text DEFAULT 'it''s \ "$pgbelay$"') PARTITION BY LIST (id);
COMMENT ON TABLE parts IS 'unlogged';
CREATE UNLOGGED TABLE part1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE logged PARTITION OF parts FOR VALUES IN (2) PARTITION BY RANGE ("key");
CREATE UNLOGGED TABLE none(a int) PARTITION BY RANGE (a);
CREATE UNLOGGED TABLE counted(id serial, a int) PARTITION BY RANGE (a);
INSERT INTO keys VALUES (1), (2);
INSERT INTO parts VALUES (1, 1), (1, 2);
