-- A database with real security labels, for a server that loads dummy_seclabel (src/test/modules of
-- PostgreSQL's source; its provider is called dummy): every kind of object that can carry one.
CREATE SCHEMA "s x"; CREATE TABLE "s x".t (a int, "B c" text); CREATE VIEW v AS SELECT 1 AS n; CREATE MATERIALIZED VIEW m AS SELECT 1 AS n;
CREATE SEQUENCE q; CREATE FUNCTION f(int, text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE cnt(*) (sfunc = int8inc, stype = int8, initcond = '0'); CREATE DOMAIN d AS int; CREATE TYPE e AS ENUM ('a'); CREATE TYPE co AS (n int);
CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER ev ON sql_drop EXECUTE FUNCTION et();
CREATE PUBLICATION pub; SELECT lo_create(4711); CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE ft (a int) SERVER s;
INSERT INTO pg_seclabel (classoid, objoid, objsubid, provider, label)
SELECT 'pg_class'::regclass, c.oid, 0, 'dummy', 'secret' FROM pg_class c WHERE relname IN ('t', 'v', 'm', 'q', 'ft')
UNION ALL SELECT 'pg_class'::regclass, '"s x".t'::regclass, 2, 'dummy', 'classified' UNION ALL SELECT 'pg_class'::regclass, 'co'::regclass, 1, 'dummy', 'unclassified'
UNION ALL SELECT 'pg_proc'::regclass, oid, 0, 'dummy', 'secret' FROM pg_proc WHERE proname IN ('f', 'pr', 'cnt') AND oid >= 16384
UNION ALL SELECT 'pg_proc'::regclass, 'pg_sleep'::regproc, 0, 'dummy', 'secret'
UNION ALL SELECT 'pg_type'::regclass, oid, 0, 'dummy', 'top secret' FROM pg_type WHERE oid IN ('d'::regtype, 'e'::regtype)
UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, 'dummy', 'secret' FROM pg_namespace WHERE nspname IN ('s x', 'public')
UNION ALL SELECT 'pg_language'::regclass, oid, 0, 'dummy', 'secret' FROM pg_language WHERE lanname = 'plpgsql'
UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0, 'dummy', 'secret' FROM pg_event_trigger UNION ALL SELECT 'pg_publication'::regclass, oid, 0, 'dummy', 'secret' FROM pg_publication
UNION ALL SELECT 'pg_largeobject'::regclass, 4711, 0, 'dummy', 'classified' ;