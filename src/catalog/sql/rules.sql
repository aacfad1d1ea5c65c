-- Rewrite rules; the _RETURN rule of a view only carries the view's dependencies.
SELECT w.oid,
       w.rulename AS name,
       quote_ident(w.rulename) AS quoted,
       w.ev_class AS relation,
       w.ev_enabled AS enabled,
       w.rulename = '_RETURN' AS is_view,
       CASE WHEN w.rulename <> '_RETURN' THEN pg_get_ruledef(w.oid) END AS definition
FROM pg_catalog.pg_rewrite w
JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname, w.rulename;
