-- Single changes of tests/corpus/tables.sql; `diff` must report each.
-- change: collation of a column
ALTER TABLE parts ALTER COLUMN name TYPE text COLLATE "POSIX";
-- change: default of a column
ALTER TABLE parts ALTER COLUMN price SET DEFAULT round(1.5, 2);
-- change: a bit of a default
ALTER TABLE parts ALTER COLUMN flags SET DEFAULT B'100';
-- change: a check is validated
ALTER TABLE parts VALIDATE CONSTRAINT not_checked_yet;
-- change: a check less
ALTER TABLE parts DROP CONSTRAINT price_is_sane;
-- change: storage of a column
ALTER TABLE parts ALTER COLUMN name SET STORAGE MAIN;
-- change: an option less
ALTER TABLE with_options RESET (fillfactor);
-- change: an option of the TOAST table
ALTER TABLE with_options RESET (toast.autovacuum_enabled);
-- change: a logged table
ALTER TABLE unlogged SET LOGGED;
-- change: inheritance given up
ALTER TABLE puppies NO INHERIT dogs;
-- change: default of a child
ALTER TABLE dogs ALTER COLUMN legs SET DEFAULT 4;
-- change: a column of a parent
ALTER TABLE animals ADD COLUMN eyes int;
-- change: a row of a child
UPDATE ONLY dogs SET breed = 'pure';
-- change: a row moves from the child to the parent
DELETE FROM puppies; INSERT INTO animals VALUES ('bo', 4);
-- change: replica identity
ALTER TABLE typed_base REPLICA IDENTITY DEFAULT;
