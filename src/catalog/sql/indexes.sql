-- Indexes of user tables and materialized views. A constraint's index is made by the constraint: it has no
-- definition of its own.
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
       CASE WHEN i.reloptions IS NOT NULL THEN
            (SELECT string_agg(quote_ident(split_part(o, '=', 1)) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ')
               FROM unnest(i.reloptions) o) END AS options,
       h.inhparent AS parent,
       CASE WHEN p.oid IS NOT NULL THEN format('%I.%I', pn.nspname, p.relname) END AS quoted_parent,
       k.oid AS "constraint",
       to_json(st.targets) AS statistics,
       CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.oid) END AS definition
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = i.reltablespace
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.oid
LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN (SELECT conindid, conrelid, min(oid) AS oid
             FROM pg_catalog.pg_constraint WHERE contype IN ('p', 'u', 'x') GROUP BY conindid, conrelid) k
       ON k.conindid = i.oid AND k.conrelid = x.indrelid
LEFT JOIN (SELECT a.attrelid, array_agg(format('%s:%s', a.attnum, a.attstattarget) ORDER BY a.attnum) AS targets
             FROM pg_catalog.pg_attribute a WHERE a.attstattarget >= 0 AND a.attnum > 0 GROUP BY a.attrelid) st
       ON st.attrelid = i.oid
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, i.relname;
