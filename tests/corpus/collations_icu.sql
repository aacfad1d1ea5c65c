-- needs icu
-- Collations by ICU: not deterministic ones too, which compare rows as equal that are not.
CREATE COLLATION german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE COLLATION ignoring_case (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TABLE t(a text COLLATE ignoring_case UNIQUE, b text COLLATE german);
INSERT INTO t VALUES ('Straße', 'ä'), ('strasse', 'z'), ('other', NULL);
CREATE INDEX by_german ON t (b, a DESC);
CREATE VIEW v AS SELECT a, b FROM t ORDER BY b COLLATE german;
