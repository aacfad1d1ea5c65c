-- Single changes of tests/corpus/collations.sql; `diff` must report each.
-- change: locale of a collation
UPDATE pg_catalog.pg_collation SET collctype = 'C' WHERE collname = 'apart';
-- change: collation of an index
DROP INDEX sorted; CREATE INDEX sorted ON t (a, lower(b COLLATE plain));
-- change: collation in a default
ALTER TABLE t ALTER COLUMN b SET DEFAULT 'x';
-- change: collation of a domain
DROP DOMAIN d; CREATE DOMAIN d AS text;
-- change: collation of an attribute
ALTER TYPE c ALTER ATTRIBUTE x TYPE text COLLATE "C";
