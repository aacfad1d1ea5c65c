-- Storage and compression that a child does not have from its parent, among them the type's own: two parents, a column named
-- by both, a grandchild.
CREATE TABLE p(a text, b text, c text COMPRESSION pglz, d bytea);
ALTER TABLE p ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE MAIN;
CREATE TABLE as_is() INHERITS (p);
CREATE TABLE own() INHERITS (p);
ALTER TABLE own ALTER a SET STORAGE EXTENDED, ALTER b SET STORAGE PLAIN, ALTER c SET COMPRESSION DEFAULT, ALTER d SET STORAGE EXTERNAL;
CREATE TABLE named(a text, e text) INHERITS (p); ALTER TABLE named ALTER a SET STORAGE EXTENDED;
CREATE TABLE grandchild() INHERITS (own); ALTER TABLE grandchild ALTER a SET STORAGE EXTERNAL, ALTER c SET COMPRESSION pglz;
CREATE TABLE q(a text, f text); ALTER TABLE q ALTER a SET STORAGE EXTERNAL;
CREATE TABLE of_both() INHERITS (p, q); ALTER TABLE of_both ALTER a SET STORAGE EXTENDED, ALTER c SET COMPRESSION DEFAULT;
INSERT INTO own VALUES (repeat('a', 5000), 'b', repeat('c', 5000), '\x00'); INSERT INTO of_both VALUES ('a', 'b', 'c', '\x01', 'f');
