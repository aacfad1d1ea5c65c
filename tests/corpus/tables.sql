-- Columns with all that they may have; storage settings; inheritance.
CREATE TABLE parts(
  id int PRIMARY KEY, name text COLLATE "C" NOT NULL DEFAULT 'part ''x''', price numeric(10, 2) DEFAULT round(1.5, 1),
  doubled int GENERATED ALWAYS AS (id * 2) STORED, made timestamptz DEFAULT '2025-01-01 00:00:00+00', flags bit(3) DEFAULT B'101',
  CONSTRAINT price_is_sane CHECK (price >= 0 AND price < 1e6), CHECK (name <> '') NO INHERIT
);
INSERT INTO parts(id, name) SELECT n, 'part ' || n FROM generate_series(1, 100) n;
ALTER TABLE parts ALTER COLUMN name SET STORAGE EXTERNAL, ALTER COLUMN name SET STATISTICS 500;
ALTER TABLE parts ADD CONSTRAINT not_checked_yet CHECK (id < 1000) NOT VALID;
COMMENT ON TABLE parts IS 'the parts';
COMMENT ON COLUMN parts.price IS 'in euros';
COMMENT ON CONSTRAINT price_is_sane ON parts IS 'sane';
CREATE TABLE with_options(a int, b text) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
CREATE UNLOGGED TABLE unlogged(a int);
INSERT INTO unlogged VALUES (1);
CREATE TABLE animals(name text NOT NULL, legs int DEFAULT 4, CHECK (legs >= 0));
CREATE TABLE dogs(breed text, legs int DEFAULT 3) INHERITS (animals);
CREATE TABLE puppies(weeks int) INHERITS (dogs);
INSERT INTO animals VALUES ('ant', 6); INSERT INTO dogs VALUES ('rex', 3, 'mixed'); INSERT INTO puppies VALUES ('bo', 4, 'x', 8);
CREATE TABLE typed_base(a int);
ALTER TABLE typed_base REPLICA IDENTITY FULL;
