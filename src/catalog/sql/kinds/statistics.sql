-- Extended statistics objects.
-- Columns as in kinds.rs: relation, probe and definition (its text in the target, and here), oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT s.stxrelid AS relation, pg_get_statisticsobjdef(s.oid) AS definition,
       format('(SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE n.nspname = %L AND s.stxname = %L)',
              n.nspname, s.stxname) AS probe,
       s.oid, n.nspname AS schema, s.stxname AS name,
       format('STATISTICS %I.%I', n.nspname, s.stxname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       pg_get_statisticsobjdef(s.oid) || ';'
         || CASE WHEN coalesce(s.stxstattarget, -1) >= 0
                 THEN format(E'\nALTER STATISTICS %I.%I SET STATISTICS %s;', n.nspname, s.stxname, s.stxstattarget) ELSE '' END AS create_text
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.stxowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, s.stxname;
