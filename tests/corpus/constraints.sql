-- Primary, unique, exclusion and foreign keys, cycles of them included.
CREATE TABLE authors(id int PRIMARY KEY, name text, favourite int, UNIQUE (name) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE books(id int, author int NOT NULL, title text NOT NULL, PRIMARY KEY (id) INCLUDE (title), CONSTRAINT one_title UNIQUE (author, title));
ALTER TABLE books ADD CONSTRAINT by_author FOREIGN KEY (author) REFERENCES authors ON DELETE CASCADE ON UPDATE SET DEFAULT;
ALTER TABLE authors ADD CONSTRAINT favourite_book FOREIGN KEY (favourite) REFERENCES books DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO authors VALUES (1, 'a', 10), (2, 'b', NULL); INSERT INTO books VALUES (10, 1, 'x'), (11, 2, 'x'); COMMIT;
CREATE TABLE tree(id int PRIMARY KEY, parent int REFERENCES tree, path int[]);
INSERT INTO tree VALUES (3, NULL), (1, 3), (2, 1);
CREATE TABLE pairs(a int, b int, PRIMARY KEY (b, a));
CREATE TABLE refers(a int, b int, FOREIGN KEY (b, a) REFERENCES pairs MATCH FULL ON DELETE SET NULL);
CREATE TABLE rooms(during int4range, EXCLUDE USING gist (during WITH &&) WHERE (NOT isempty(during)));
INSERT INTO rooms VALUES ('[1,5)'), ('[5,9)');
ALTER TABLE refers ADD CONSTRAINT later FOREIGN KEY (a) REFERENCES tree NOT VALID;
CREATE UNIQUE INDEX becomes_key ON pairs(a);
ALTER TABLE pairs ADD CONSTRAINT key_of_index UNIQUE USING INDEX becomes_key;
ALTER TABLE books CLUSTER ON one_title;
ALTER TABLE books REPLICA IDENTITY USING INDEX one_title;
COMMENT ON CONSTRAINT by_author ON books IS 'who wrote it';
