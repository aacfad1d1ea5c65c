-- Access methods that the user made.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT a.oid, NULL AS schema, a.amname AS name,
       format('ACCESS METHOD %I', a.amname) AS target,
       format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s;', a.amname,
              CASE a.amtype WHEN 'i' THEN 'INDEX' WHEN 't' THEN 'TABLE' END, a.amhandler) AS create_text
FROM pg_catalog.pg_am a
WHERE a.oid >= 16384 AND a.amtype IN ('i', 't')
ORDER BY a.amname;
