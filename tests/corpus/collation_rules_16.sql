-- since 16
-- needs icu
-- ICU collations with rules of their own, from 16 on.
CREATE COLLATION ruled (PROVIDER = icu, LOCALE = 'und', RULES = '&a < g < ''x''');
CREATE TABLE t(a text COLLATE ruled PRIMARY KEY);
INSERT INTO t VALUES ('a'), ('g'), ('b');
COMMENT ON COLLATION ruled IS 'g after a';
