-- Text search dictionaries; the option list is stored as it has to be written.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT d.oid, n.nspname AS schema, d.dictname AS name,
       format('TEXT SEARCH DICTIONARY %I.%I', n.nspname, d.dictname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I%s);', n.nspname, d.dictname, tn.nspname, t.tmplname,
              coalesce(', ' || d.dictinitoption, '')) AS create_text
FROM pg_catalog.pg_ts_dict d
JOIN pg_catalog.pg_namespace n ON n.oid = d.dictnamespace
JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.tmplnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = d.dictowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, d.dictname;
