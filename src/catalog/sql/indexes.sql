-- Indexes of user tables and materialized views.
SELECT x.indexrelid AS oid,
       n.nspname AS schema,
       i.relname AS name,
       format('%I.%I', n.nspname, i.relname) AS quoted,
       quote_ident(i.relname) AS quoted_name,
       x.indrelid AS relation,
       i.relkind AS kind,
       x.indisvalid AS valid,
       x.indisready AS ready,
       x.indisclustered AS clustered,
       x.indisreplident AS replica_identity,
       x.indisexclusion AS exclusion,
       quote_ident(ts.spcname) AS tablespace,
       (SELECT string_agg(quote_ident(split_part(o, '=', 1)) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ')
          FROM unnest(i.reloptions) o) AS options,
       (SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.oid) AS parent,
       (SELECT format('%I.%I', pn.nspname, p.relname)
          FROM pg_catalog.pg_inherits h
          JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
          JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
         WHERE h.inhrelid = i.oid) AS quoted_parent,
       (SELECT k.oid FROM pg_catalog.pg_constraint k
         WHERE k.conindid = i.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1) AS "constraint",
       (SELECT to_json(array_agg(format('%s:%s', a.attnum, a.attstattarget) ORDER BY a.attnum))
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = i.oid AND coalesce(a.attstattarget, -1) >= 0) AS statistics,
       pg_get_indexdef(i.oid) AS definition
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = i.reltablespace
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, i.relname;
