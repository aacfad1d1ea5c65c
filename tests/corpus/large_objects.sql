-- Large objects: small, of several pieces, of exactly one piece, empty; with comment and grant.
SELECT lo_from_bytea(4711, 'abc\000\\''def');
SELECT lo_from_bytea(4712, convert_to(repeat('0123456789', 300000), 'UTF8'));
SELECT lo_from_bytea(4713, decode(repeat('ff', 1048576), 'hex'));
SELECT lo_create(4714);
COMMENT ON LARGE OBJECT 4711 IS 'it''s large';
GRANT SELECT ON LARGE OBJECT 4712 TO reader;
CREATE TABLE public.pictures (id integer PRIMARY KEY, image oid);
INSERT INTO public.pictures VALUES (1, 4711), (2, 4712);
