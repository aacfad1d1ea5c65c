-- Values that are easily damaged on the way through text.
CREATE TABLE texts(id int PRIMARY KEY, t text, c char(5), v varchar(10), b bytea);
INSERT INTO texts VALUES
  (1, NULL, NULL, NULL, NULL), (2, '', '', '', ''), (3, '\N', 'ab', '\.', '\x00ff0a5c'),
  (4, E'tab\tline\nreturn\rback\\slash', 'x', E'\\.\n', '\x5c'), (5, E'\b\f\v\x7f', '   ', ' ', '\xdeadbeef'),
  (6, 'Zoë Ünïcödé 日本 🐘', 'é', 'naïve', NULL), (7, E'\\N', 'N', '\N', NULL), (8, E'a\n\\.\nb', NULL, NULL, NULL);
CREATE TABLE numbers(i2 smallint, i8 bigint, n numeric, n2 numeric(20, 5), f4 real, f8 double precision);
INSERT INTO numbers VALUES
  (-32768, -9223372036854775808, 'NaN', 1.50000, 'NaN', '-Infinity'),
  (32767, 9223372036854775807, 1e-30, -0.00001, 0.1, 0.1), (0, 0, 1.000, 0, 1e-38, 2.2250738585072014e-308),
  (1, 1, 123456789012345678901234567890.123456789, 99999.99999, 16777217, 1.7976931348623157e308);
CREATE TABLE moments(d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval);
INSERT INTO moments VALUES
  ('infinity', '24:00', '12:00+05:30', '-infinity', 'infinity', '1 year 2 mons -3 days 04:05:06.7'),
  ('0044-03-15 BC', '00:00:00.000001', '23:59:59.999999-12', '4713-01-01 BC', '2025-03-30 01:30:00+00', '-1 mon +1 day'),
  ('5874897-12-31', NULL, NULL, '294276-12-31', '1900-01-01 00:00:00+00', '178000000 years');
CREATE TABLE containers(a int[], aa text[][], j json, jb jsonb, u uuid, n inet, m macaddr, bits bit varying,
  r int4range, mr datemultirange, p point, ts tsvector, o money);
INSERT INTO containers VALUES
  ('{1,NULL,3}', '{{a,"b \"c\""},{"d\\e",NULL}}', '{"a" :  1,"a":2}', '{"a": 1, "ü": [null, true]}',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', '08:00:2b:01:02:03', B'1010',
   '[1,10)', '{[2025-01-01,2025-02-01)}', '(1.5,-2)', 'a:1A b:2', 12.34);
INSERT INTO containers(a, aa) VALUES ('{}', '{}');
CREATE TABLE no_columns();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE equal_rows(a int, b text);
INSERT INTO equal_rows SELECT 1, 'same' FROM generate_series(1, 5);
CREATE TABLE dropped_columns(a int, gone text, b text);
INSERT INTO dropped_columns VALUES (1, 'x', 'kept'), (2, NULL, NULL);
ALTER TABLE dropped_columns DROP COLUMN gone;
