-- Single changes of tests/corpus/data_values.sql; `diff` must report each.
-- change: a bound of an array
UPDATE bounds SET a = '[1:2]={1,NULL}';
-- change: the text NULL becomes NULL
UPDATE bounds SET b = '[-2:-1][3:3]={{NULL},{NULL}}';
-- change: zeros of a numeric
UPDATE bounds SET c = '{NaN,Infinity,-Infinity,0.00}';
-- change: an escape in json
UPDATE papers SET j = '"\u0001"' WHERE j::text = '"\u0000"';
-- change: the sign of zero
UPDATE amounts SET f8 = '0' WHERE m = '0.01'::money;
-- change: the last bit of a double
UPDATE amounts SET f8 = 9.8813129168249309e-324 WHERE m <> '0.01'::money;
-- change: a mark behind a letter
UPDATE letters SET t = 'é' WHERE id = 7;
-- change: a line end
UPDATE letters SET t = E'\n' WHERE id = 4;
-- change: backslash N becomes NULL
UPDATE ended SET t = NULL WHERE t = '\\N';
-- change: a control character
UPDATE ended SET t = E'\x01\x02\x04' WHERE t = E'\x01\x02\x03';
