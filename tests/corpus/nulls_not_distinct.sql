-- since 15
-- UNIQUE NULLS NOT DISTINCT, as a constraint and as an index; SET NULL of some columns only.
CREATE TABLE by_constraint(a int, UNIQUE NULLS NOT DISTINCT (a));
CREATE TABLE by_index(a int, b int);
CREATE UNIQUE INDEX one_null ON by_index(a) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX many_nulls ON by_index(b) NULLS DISTINCT;
INSERT INTO by_constraint VALUES (NULL), (1);
INSERT INTO by_index VALUES (NULL, NULL), (1, NULL);
CREATE TABLE pairs(a int, b int, PRIMARY KEY (b, a));
CREATE TABLE refers(a int, b int, FOREIGN KEY (b, a) REFERENCES pairs MATCH FULL ON DELETE SET NULL (b));
CREATE TABLE defaults(a int DEFAULT 1, b int DEFAULT 2, FOREIGN KEY (b, a) REFERENCES pairs ON DELETE SET DEFAULT (a));
