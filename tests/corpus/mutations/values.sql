-- Single changes of tests/corpus/values.sql; `diff` must report each.
-- change: the text \N becomes NULL
UPDATE texts SET t = NULL WHERE id = 3;
-- change: empty becomes NULL
UPDATE texts SET t = NULL WHERE id = 2;
-- change: carriage return becomes line feed
UPDATE texts SET t = replace(t, E'\r', E'\n') WHERE id = 4;
-- change: a line feed less at the end
UPDATE texts SET v = E'\\.' WHERE id = 4;
-- change: composed and decomposed
UPDATE texts SET c = E'e\u0301' WHERE id = 6;
-- change: a bit of a byte
UPDATE texts SET b = '\xdeadbeee' WHERE id = 5;
-- change: a space at the end
UPDATE texts SET v = '  ' WHERE id = 5;
-- change: zeros at the end of a numeric
UPDATE numbers SET n = 1.0000 WHERE i2 = 0;
-- change: the last bit of a double
UPDATE numbers SET f8 = 1.7976931348623155e308 WHERE i2 = 1;
-- change: the sign of zero
UPDATE numbers SET f4 = '-0' WHERE i2 = 0; UPDATE numbers SET f4 = '0' WHERE i2 = 1;
-- change: a microsecond
UPDATE moments SET t = '00:00:00.000002' WHERE t = '00:00:00.000001';
-- change: 24:00 becomes 00:00
UPDATE moments SET t = '00:00' WHERE t = '24:00';
-- change: the zone of a time
UPDATE moments SET tz = '12:00+05:31' WHERE tz = '12:00+05:30';
-- change: months instead of days
UPDATE moments SET i = '1 year 2 mons 04:05:06.7' WHERE d = 'infinity';
-- change: spaces inside json
UPDATE containers SET j = '{"a":1,"a":2}' WHERE j IS NOT NULL;
-- change: an empty array becomes NULL
UPDATE containers SET a = NULL WHERE a = '{}';
-- change: lower bound of an array
UPDATE containers SET a = '[0:2]={1,NULL,3}' WHERE j IS NOT NULL;
-- change: a bound of a range is included
UPDATE containers SET mr = '{[2025-01-01,2025-02-01]}' WHERE j IS NOT NULL;
-- change: the mask of an address
UPDATE containers SET n = '10.0.0.1/9' WHERE j IS NOT NULL;
-- change: a weight of a lexeme
UPDATE containers SET ts = 'a:1B b:2' WHERE j IS NOT NULL;
-- change: a cent
UPDATE containers SET o = 12.35 WHERE j IS NOT NULL;
-- change: a row without columns less
DELETE FROM no_columns WHERE ctid = (SELECT min(ctid) FROM no_columns);
-- change: one of five equal rows less
DELETE FROM equal_rows WHERE ctid = (SELECT min(ctid) FROM equal_rows);
-- change: a row whose column was dropped
UPDATE dropped_columns SET b = 'Kept' WHERE a = 1;
