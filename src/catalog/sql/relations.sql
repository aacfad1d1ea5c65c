-- Tables (r), partitioned tables (p), views (v), materialized views (m), composite types (c) and
-- sequences (S) and foreign tables (f) of user schemas. Temporary relations are never ours.
-- heap_blocks is 0 where no range of blocks can be scanned. Options come ready to print; check_option of a view is printed as its own clause.
SELECT c.oid,
       n.nspname AS schema,
       c.relname AS name,
       format('%I.%I', n.nspname, c.relname) AS quoted,
       r.rolname AS owner,
       quote_ident(r.rolname) AS quoted_owner,
       c.relkind AS kind,
       c.relpersistence AS persistence,
       -- An index that was chosen and then dropped leaves the letter: the server treats that as NOTHING.
       CASE WHEN c.relreplident = 'i' AND NOT EXISTS
            (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident) THEN 'n' ELSE c.relreplident END AS replica_identity,
       c.relrowsecurity AS row_security,
       c.relforcerowsecurity AS force_row_security,
       c.relispopulated AS populated,
       c.relispartition AS is_partition,
       c.relhasrules AS has_rules,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS partition_bound,
       CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
       quote_ident(ts.spcname) AS tablespace,
       -- Of a partitioned table (17) it is what new partitions get, and none is another thing than heap.
       CASE WHEN am.amname <> 'heap' OR c.relkind = 'p' THEN quote_ident(am.amname) END AS access_method,
       CASE WHEN c.reloptions IS NOT NULL THEN
            (SELECT string_agg(quote_ident(split_part(o, '=', 1)) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ')
               FROM unnest(c.reloptions) o WHERE o NOT LIKE 'check_option=%') END AS options,
       CASE WHEN c.reloptions IS NOT NULL THEN
            (SELECT upper(substr(o, strpos(o, '=') + 1))
               FROM unnest(c.reloptions) o WHERE o LIKE 'check_option=%') END AS check_option,
       CASE WHEN toast.reloptions IS NOT NULL THEN
            (SELECT string_agg('toast.' || quote_ident(split_part(o, '=', 1)) || '=' || quote_literal(substr(o, strpos(o, '=') + 1)), ', ')
               FROM unnest(toast.reloptions) o) END AS toast_options,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS view_definition,
       to_json(h.parents) AS parents,
       coalesce(h.detach_pending, false) AS detach_pending,
       quote_ident(fs.srvname) AS server,
       CASE WHEN ft.ftoptions IS NOT NULL THEN
            (SELECT string_agg(format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name)
               FROM pg_options_to_table(ft.ftoptions) o) END AS foreign_options,
       coalesce(s.heap, 0) + coalesce(s.toast, 0) AS size_bytes,
       CASE WHEN am.amname = 'heap' THEN coalesce(s.heap, 0) / current_setting('block_size')::integer ELSE 0 END AS heap_blocks
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
LEFT JOIN (SELECT i.inhrelid, array_agg(i.inhparent ORDER BY i.inhseqno) AS parents, bool_or(i.inhdetachpending) AS detach_pending
             FROM pg_catalog.pg_inherits i GROUP BY i.inhrelid) h ON h.inhrelid = c.oid
-- A size is asked of the file system: once for each, and for tables alone.
LEFT JOIN LATERAL (SELECT pg_relation_size(c.oid) AS heap, pg_relation_size(nullif(c.reltoastrelid, 0)) AS toast OFFSET 0) s
       ON c.relkind = 'r'
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c', 'S')
  AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname;
