-- as superuser
-- Conversions, default and not, with owner and comment.
CREATE CONVERSION plain FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE SCHEMA own AUTHORIZATION app;
CREATE DEFAULT CONVERSION own."As Default" FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
ALTER CONVERSION plain OWNER TO app;
COMMENT ON CONVERSION own."As Default" IS 'by default';
