-- Cycle 14: tables that refer to each other and to themselves, with rows that do.
CREATE TABLE a(id int PRIMARY KEY, b int); CREATE TABLE b(id int PRIMARY KEY, c int); CREATE TABLE c(id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c DEFERRABLE;
CREATE TABLE self(id int PRIMARY KEY, up int REFERENCES self ON DELETE CASCADE, CHECK (id <> up));
INSERT INTO a VALUES (1, NULL); INSERT INTO c VALUES (1, 1); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1;
INSERT INTO self VALUES (3, NULL), (2, 3), (1, 2); UPDATE self SET up = 1 WHERE id = 3;
