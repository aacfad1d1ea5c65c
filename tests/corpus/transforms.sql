-- as superuser
-- Transforms, one-sided and both-sided, with a comment; a function that asks for one.
CREATE FUNCTION from_sql(internal) RETURNS internal LANGUAGE internal STRICT IMMUTABLE AS 'prsd_lextype';
CREATE FUNCTION to_sql(internal) RETURNS int LANGUAGE internal STRICT IMMUTABLE AS 'int4recv';
CREATE FUNCTION to_text_sql(internal) RETURNS text LANGUAGE internal STRICT IMMUTABLE AS 'textrecv';
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION from_sql(internal), TO SQL WITH FUNCTION to_sql(internal));
CREATE TRANSFORM FOR text LANGUAGE plpgsql (TO SQL WITH FUNCTION to_text_sql(internal));
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS 'there and back';
CREATE FUNCTION transformed(a int) RETURNS int LANGUAGE sql TRANSFORM FOR TYPE int AS 'SELECT 1';
