-- Text search templates.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT t.oid, n.nspname AS schema, t.tmplname AS name,
       format('TEXT SEARCH TEMPLATE %I.%I', n.nspname, t.tmplname) AS target,
       format('CREATE TEXT SEARCH TEMPLATE %I.%I (%sLEXIZE = %s);', n.nspname, t.tmplname,
              CASE WHEN t.tmplinit <> 0 THEN format('INIT = %s, ', t.tmplinit) ELSE '' END, t.tmpllexize) AS create_text
FROM pg_catalog.pg_ts_template t
JOIN pg_catalog.pg_namespace n ON n.oid = t.tmplnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, t.tmplname;
