-- as superuser
-- Text search: parsers, templates, dictionaries with options, configurations with mappings, owners and comments.
CREATE TEXT SEARCH PARSER own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH PARSER "No Headline" (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE own_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH TEMPLATE no_init (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY options (TEMPLATE = own_template, STOPWORDS = 'english', ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY "Plain One" (TEMPLATE = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION mapped (PARSER = own_parser);
ALTER TEXT SEARCH CONFIGURATION mapped ADD MAPPING FOR asciiword, word WITH options, "Plain One", english_stem;
ALTER TEXT SEARCH CONFIGURATION mapped ADD MAPPING FOR url WITH simple;
CREATE TEXT SEARCH CONFIGURATION copied (COPY = english);
ALTER TEXT SEARCH CONFIGURATION copied DROP MAPPING FOR numword;
CREATE TEXT SEARCH CONFIGURATION "Without Mapping" (PARSER = "No Headline");
COMMENT ON TEXT SEARCH PARSER own_parser IS 'p'; COMMENT ON TEXT SEARCH TEMPLATE no_init IS 't';
COMMENT ON TEXT SEARCH DICTIONARY options IS 'd'; COMMENT ON TEXT SEARCH CONFIGURATION mapped IS 'c';
ALTER TEXT SEARCH DICTIONARY options OWNER TO app; ALTER TEXT SEARCH CONFIGURATION copied OWNER TO app;
CREATE TABLE t(d text, v tsvector GENERATED ALWAYS AS (to_tsvector('mapped', d)) STORED);
INSERT INTO t(d) VALUES ('words http://example.org/');
CREATE INDEX searched ON t USING gin (to_tsvector('copied', d));
