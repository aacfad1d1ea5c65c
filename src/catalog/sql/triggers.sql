-- Triggers of user relations. Clones on partitions have a parent; up to 14 they are also marked
-- internal. parent_enabled tells whether a clone differs from what its parent gives it. Triggers
-- that enforce a constraint come with it; their states are read by kinds/trigger_states.sql.
SELECT t.oid,
       t.tgname AS name,
       quote_ident(t.tgname) AS quoted,
       t.tgrelid AS relation,
       t.tgenabled AS enabled,
       t.tgisinternal AS internal,
       t.tgparentid <> 0 AS is_clone,
       p.tgenabled AS parent_enabled,
       t.tgconstraint AS "constraint",
       CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid, false) END AS definition
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_trigger p ON p.oid = t.tgparentid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  AND (NOT t.tgisinternal OR t.tgparentid <> 0)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                   WHERE k.oid = t.tgconstraint AND k.contype <> 't')
ORDER BY n.nspname, c.relname, t.tgname;
