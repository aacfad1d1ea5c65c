-- as superuser
-- Ranges: canonical and difference functions, operator class, collation, multirange elsewhere.
CREATE SCHEMA elsewhere;
CREATE TYPE plain_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE text_range AS RANGE (subtype = text, collation = "C", subtype_opclass = text_pattern_ops);
CREATE TYPE named_range AS RANGE (subtype = int8, multirange_type_name = elsewhere.many);
CREATE TYPE canonical_range;
CREATE FUNCTION canonical(canonical_range) RETURNS canonical_range LANGUAGE internal IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE canonical_range AS RANGE (subtype = int4, canonical = canonical);
CREATE FUNCTION distance(date, date) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT ($1 - $2)::float8';
CREATE TYPE date_range AS RANGE (subtype = date, subtype_diff = distance);
COMMENT ON TYPE date_range IS 'days';
ALTER TYPE plain_range OWNER TO app;
REVOKE USAGE ON TYPE text_range FROM PUBLIC;
CREATE TABLE t(p plain_range, t text_range, n named_range, m elsewhere.many, c canonical_range, d date_range);
INSERT INTO t VALUES ('[1.5,2)', '["a,b",c)', '(,5]', '{[1,2),[4,9)}', '[1,3]', 'empty');
CREATE INDEX by_range ON t USING gist (d, p);
-- A comment of the multirange is its own.
CREATE TYPE spoken_of AS RANGE (subtype = int4, multirange_type_name = spoken_of_together);
COMMENT ON TYPE spoken_of IS 'the range';
COMMENT ON TYPE spoken_of_together IS 'the ranges';
