-- Single changes of tests/corpus/data_columns.sql; `diff` must report each.
-- change: a row of a grandchild
UPDATE ONLY grandchild SET d = 6;
-- change: a row that moves down
DELETE FROM ONLY parent; INSERT INTO child VALUES (1, 'parent', NULL);
-- change: an identity far off
DELETE FROM always WHERE t = 'c'; INSERT INTO always OVERRIDING SYSTEM VALUE VALUES (-7778, 'c');
-- change: a row without columns less
DELETE FROM emptied WHERE ctid = (SELECT min(ctid) FROM emptied);
-- change: a generated row less
DELETE FROM only_generated WHERE ctid = (SELECT min(ctid) FROM only_generated);
-- change: a value added late
UPDATE shrunk SET late = 8;
