-- More values that are easily damaged: array bounds, xml, escapes in json, ranges, composites with
-- dropped attributes, types of the system, domains, large numbers, characters of four bytes.
CREATE TYPE color AS ENUM ('red', 'it''s "blue"', 'gr,een', E'back\\slash');
CREATE TYPE pair AS (a int, gone text, b text);
CREATE TABLE pairs(id int, p pair, ps pair[]);
INSERT INTO pairs VALUES (1, ROW(1, 'x', E'q"\\,()'), ARRAY[ROW(2, 'y', NULL)::pair, NULL]), (2, ROW(NULL, NULL, ''), '{}');
ALTER TYPE pair DROP ATTRIBUTE gone;
INSERT INTO pairs VALUES (3, ROW(3, 'new'), NULL);
CREATE DOMAIN colors AS color[] CHECK (cardinality(VALUE) < 9);
CREATE TABLE enums(c color, d colors, o oidvector, i int2vector);
INSERT INTO enums VALUES ('it''s "blue"', ARRAY['gr,een', E'back\\slash', NULL]::color[], '1 2 3', '-1 0'), (NULL, '{}', '', '');
CREATE TABLE bounds(a int[], b text[], c numeric[]);
INSERT INTO bounds VALUES ('[0:1]={1,NULL}', '[-2:-1][3:3]={{NULL},{"NULL"}}', '{NaN,Infinity,-Infinity,0.000}');
CREATE TABLE papers(x xml, j json, t tsquery, p path, c circle, l line, s box, pg polygon, e lseg);
INSERT INTO papers VALUES (NULL, '{"a": "\ud83d\ude00 \u0041 \\u0000"}', 'fat & !rat:A', '[(0,0),(1,1e-300)]', '<(0.1,0.2),0.3>', '{1,2,3}', '(1,1),(0,0)', '((0,0),(1,1),(2,0))', '[(0,0),(1,1)]'),
  (NULL, '"\u0000"', '', NULL, NULL, NULL, NULL, NULL, NULL);
-- Not every server is built with XML.
DO $$ BEGIN
  INSERT INTO papers(x) VALUES ('just <b>content</b>, &amp; more'), (''), ('<?xml version="1.0"?><a/>');
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
CREATE TABLE nets(c cidr, i inet, m8 macaddr8, b bit(3), v bit varying(9), l pg_lsn, n name, ch "char", x xid, td tid);
INSERT INTO nets VALUES ('10.1.0.0/16', '::ffff:1.2.3.4/96', '08:00:2b:01:02:03:04:05', B'101', B'', '16/B374D848', 'näme', 'c', '4294967295', '(1,2)');
CREATE TABLE amounts(m money, f4 real, f8 double precision, i interval, r tstzrange, nr numrange, d daterange);
INSERT INTO amounts VALUES ('-92233720368547758.08', 1.17549435e-38, 4.9406564584124654e-324, '-1 year +2 mons -3 days +04:05:06.789', '[2025-01-01 00:00:00+05:30,)', '(,1.50]', 'empty'),
  (0.01, 'NaN', '-0', 'PT0S', '(,)', '[NaN,NaN]', '[0001-01-01 BC,infinity)');
CREATE TABLE names(c regclass, t regtype, p regprocedure, f regproc, n regnamespace, r regrole, o regoperator, d regdictionary, g regconfig, raw oid);
INSERT INTO names VALUES ('enums', 'color', 'pg_catalog.lower(text)', 'now', 'public', 'app', '+(integer,integer)', 'simple', 'english', 4711),
  ('pg_class', 'int', '-', '-', 'pg_catalog', '-', '0', NULL, NULL, 0);
CREATE TABLE letters(id int, t text);
INSERT INTO letters VALUES (1, '𝒳🇩🇪👩‍👩‍👧 ﷽ ' || chr(1114111)), (2, repeat(E'\\', 1000)), (3, E'\r'), (4, E'\r\n'), (5, E'\\.\r\n\\.'), (6, E'\t\t'), (7, 'é' || chr(769));
CREATE TABLE ended(t text);
INSERT INTO ended VALUES ('\.'), (E'\\'), ('\n'), ('\t'), ('\\N'), (NULL), (''), (' '), (E'\x01\x02\x03');
