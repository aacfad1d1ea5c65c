-- Single changes of tests/corpus/types.sql; `diff` must report each.
-- change: a label more at the end
ALTER TYPE mood ADD VALUE 'best';
-- change: a label more in between
ALTER TYPE mood ADD VALUE 'so so' AFTER 'sad';
-- change: a label renamed
ALTER TYPE mood RENAME VALUE 'meh' TO 'mah';
-- change: a domain's default
ALTER DOMAIN email SET DEFAULT 'somebody@example.org';
-- change: a domain's constraint not validated
ALTER DOMAIN email DROP CONSTRAINT has_at; ALTER DOMAIN email ADD CONSTRAINT has_at CHECK (VALUE LIKE '%@%') NOT VALID; COMMENT ON CONSTRAINT has_at ON DOMAIN email IS 'an at sign';
-- change: a domain's constraint on the domain below
ALTER DOMAIN positive DROP CONSTRAINT positive_check;
-- change: an attribute more
ALTER TYPE nested ADD ATTRIBUTE more int CASCADE;
-- change: name of an attribute
ALTER TYPE address RENAME ATTRIBUTE zip TO code;
-- change: comment on an attribute
COMMENT ON COLUMN address.zip IS 'ZIP';
-- change: a value deep inside
UPDATE people SET work = ROW(ROW('a', 'c', '{}'), 7) WHERE id = 1;
-- change: an empty array becomes NULL
UPDATE people SET work = ROW(ROW('a', 'b', NULL), 7) WHERE id = 1;
