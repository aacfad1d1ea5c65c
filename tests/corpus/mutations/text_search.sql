-- Single changes of tests/corpus/text_search.sql; `diff` must report each.
-- change: stop words
ALTER TEXT SEARCH DICTIONARY options (STOPWORDS);
-- change: order of dictionaries
ALTER TEXT SEARCH CONFIGURATION mapped ALTER MAPPING FOR word WITH "Plain One", options, english_stem;
-- change: a mapping more
ALTER TEXT SEARCH CONFIGURATION copied ADD MAPPING FOR numword WITH simple;
-- change: a parser without headlines
UPDATE pg_catalog.pg_ts_parser SET prsheadline = 0 WHERE prsname = 'own_parser';
-- change: comment on a template
COMMENT ON TEXT SEARCH TEMPLATE no_init IS NULL;
