-- Enums: labels in an order that is not the order of their making, none at all, labels that need quoting.
CREATE TYPE ordered AS ENUM ('b', 'd');
ALTER TYPE ordered ADD VALUE 'a' BEFORE 'b';
ALTER TYPE ordered ADD VALUE 'c' AFTER 'b';
ALTER TYPE ordered RENAME VALUE 'd' TO 'z''z';
CREATE TYPE nothing AS ENUM ();
CREATE TYPE "Odd ""Enum""" AS ENUM ('', ' ', 'back\slash', E'new\nline', 'comma,brace}');
CREATE TABLE t(a ordered, b ordered[], c "Odd ""Enum""", d "Odd ""Enum"""[]);
INSERT INTO t VALUES ('a', '{a,"z''z"}', 'comma,brace}', ARRAY['', E'new\nline', 'back\slash']::"Odd ""Enum"""[]);
CREATE INDEX by_enum ON t (a, (b[1]));
COMMENT ON TYPE ordered IS 'in order';
GRANT USAGE ON TYPE ordered TO reader;
REVOKE USAGE ON TYPE nothing FROM PUBLIC;
