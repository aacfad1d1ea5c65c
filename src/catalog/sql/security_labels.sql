-- Security labels on everything that belongs to this database, with what follows SECURITY LABEL ...
-- ON. Those on the database itself, on roles and tablespaces are in pg_shseclabel.
SELECT l.classoid AS class, l.objoid AS object, l.objsubid AS part,
       quote_ident(l.provider) AS quoted_provider, quote_literal(l.label) AS text,
       pg_describe_object(l.classoid, l.objoid, l.objsubid) AS description,
       CASE
           WHEN c.oid IS NOT NULL AND l.objsubid > 0 THEN format('COLUMN %I.%I.%I', cn.nspname, c.relname, a.attname)
           WHEN c.relkind IN ('r', 'p') THEN format('TABLE %I.%I', cn.nspname, c.relname)
           WHEN c.relkind = 'v' THEN format('VIEW %I.%I', cn.nspname, c.relname)
           WHEN c.relkind = 'm' THEN format('MATERIALIZED VIEW %I.%I', cn.nspname, c.relname)
           WHEN c.relkind = 'S' THEN format('SEQUENCE %I.%I', cn.nspname, c.relname)
           WHEN c.relkind = 'f' THEN format('FOREIGN TABLE %I.%I', cn.nspname, c.relname)
           WHEN p.prokind = 'a' THEN format('AGGREGATE %I.%I(%s)', pn.nspname, p.proname,
                                            CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_identity_arguments(p.oid) END)
           WHEN p.oid IS NOT NULL THEN format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                                              pn.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
           WHEN t.oid IS NOT NULL THEN format('%s %I.%I', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, tn.nspname, t.typname)
           WHEN n.oid IS NOT NULL THEN format('SCHEMA %I', n.nspname)
           WHEN g.oid IS NOT NULL THEN format('LANGUAGE %I', g.lanname)
           WHEN e.oid IS NOT NULL THEN format('EVENT TRIGGER %I', e.evtname)
           WHEN b.oid IS NOT NULL THEN format('PUBLICATION %I', b.pubname)
           WHEN s.oid IS NOT NULL THEN format('SUBSCRIPTION %I', s.subname)
           WHEN l.classoid = 'pg_catalog.pg_largeobject'::regclass THEN format('LARGE OBJECT %s', l.objoid)
       END AS target
FROM (SELECT x.objoid, x.classoid, x.objsubid, x.provider, x.label FROM pg_catalog.pg_seclabel x
      UNION ALL
      -- A subscription is an object of the whole cluster, and belongs to one database.
      SELECT x.objoid, x.classoid, 0, x.provider, x.label FROM pg_catalog.pg_shseclabel x
       WHERE x.classoid = 'pg_catalog.pg_subscription'::regclass) l
LEFT JOIN pg_catalog.pg_class c ON l.classoid = 'pg_catalog.pg_class'::regclass AND c.oid = l.objoid
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = l.objsubid AND l.objsubid > 0
LEFT JOIN pg_catalog.pg_proc p ON l.classoid = 'pg_catalog.pg_proc'::regclass AND p.oid = l.objoid
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_type t ON l.classoid = 'pg_catalog.pg_type'::regclass AND t.oid = l.objoid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_namespace n ON l.classoid = 'pg_catalog.pg_namespace'::regclass AND n.oid = l.objoid
LEFT JOIN pg_catalog.pg_language g ON l.classoid = 'pg_catalog.pg_language'::regclass AND g.oid = l.objoid
LEFT JOIN pg_catalog.pg_event_trigger e ON l.classoid = 'pg_catalog.pg_event_trigger'::regclass AND e.oid = l.objoid
LEFT JOIN pg_catalog.pg_publication b ON l.classoid = 'pg_catalog.pg_publication'::regclass AND b.oid = l.objoid
LEFT JOIN (SELECT y.oid, y.subname FROM pg_catalog.pg_subscription y
            WHERE y.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) s
       ON l.classoid = 'pg_catalog.pg_subscription'::regclass AND s.oid = l.objoid
WHERE coalesce(c.relpersistence, 'p') <> 't'
  AND coalesce(pn.nspname, tn.nspname, '') !~ '^pg_temp'
  AND (l.classoid <> 'pg_catalog.pg_subscription'::regclass OR s.oid IS NOT NULL)
ORDER BY l.provider, l.classoid, l.objoid, l.objsubid;
