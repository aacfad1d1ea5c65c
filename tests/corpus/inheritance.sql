-- accepting column-order
-- Inheritance: several parents, diamonds, columns of one's own under an inherited name, defaults taken away, checks that stop.
CREATE TABLE a(x int DEFAULT 1 NOT NULL, y text, CONSTRAINT c CHECK (x > 0)); CREATE TABLE b(x int, z int, CONSTRAINT own CHECK (z > 0) NO INHERIT);
CREATE TABLE ab(w int, CHECK (w > 1)) INHERITS (a, b);
CREATE TABLE left_one(l int) INHERITS (a); CREATE TABLE right_one(r int) INHERITS (a); CREATE TABLE diamond(d int) INHERITS (left_one, right_one);
ALTER TABLE diamond ALTER COLUMN x DROP DEFAULT; ALTER TABLE left_one ALTER COLUMN y SET DEFAULT 'left';
CREATE TABLE joined(y text, x int NOT NULL, CONSTRAINT c CHECK (x > 0)); ALTER TABLE joined INHERIT a;
CREATE TABLE g(a int, v int GENERATED ALWAYS AS (a + 1) STORED); CREATE TABLE g_child() INHERITS (g);
INSERT INTO a VALUES (1, 'a'); INSERT INTO ab VALUES (2, 'b', 3, 4); INSERT INTO diamond VALUES (5, 'd', 6, 7, 8); INSERT INTO joined VALUES ('j', 9); INSERT INTO g_child VALUES (1);
COMMENT ON CONSTRAINT c ON a IS 'of a'; COMMENT ON COLUMN diamond.x IS 'inherited';
CREATE TABLE online(q int); CREATE TABLE online_child() INHERITS (online);
ALTER TABLE online ADD CONSTRAINT later CHECK (q > 0) NOT VALID; ALTER TABLE online_child VALIDATE CONSTRAINT later;
COMMENT ON CONSTRAINT later ON online_child IS 'validated first';
