-- Enums, domains, composite types, ranges of values.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok';
COMMENT ON TYPE mood IS 'how it is';
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN email AS text COLLATE "C" NOT NULL DEFAULT 'nobody@example.org' CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
COMMENT ON CONSTRAINT has_at ON DOMAIN email IS 'an at sign';
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 100);
CREATE TYPE address AS (street text, zip varchar(10), moods mood[]);
COMMENT ON COLUMN address.zip IS 'postal code';
CREATE TYPE nested AS (where_to address, how_many small_positive);
CREATE TABLE people(id positive PRIMARY KEY, mail email, home address, all_homes address[], work nested, feels mood DEFAULT 'ok');
INSERT INTO people VALUES (1, 'a@b', ROW('Main "St", 1', NULL, '{sad,meh}'), ARRAY[ROW('x', '', NULL)::address], ROW(ROW('a', 'b', '{}'), 7), 'happy');
INSERT INTO people(id, mail) VALUES (2, 'c@d');
