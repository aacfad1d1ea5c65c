-- Triggers of partitions that are not what the partitioned table's trigger makes of them: up to
-- major 14 renaming a trigger leaves its clones behind, and clones count as internal there. Their
-- enabled state is read with triggers.
SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass) AS object
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_trigger p ON p.oid = t.tgparentid
WHERE NOT p.tgisinternal AND (t.tgname, t.tgfoid, t.tgtype, t.tgnargs, t.tgargs, t.tgdeferrable, t.tginitdeferred)
                       IS DISTINCT FROM (p.tgname, p.tgfoid, p.tgtype, p.tgnargs, p.tgargs, p.tgdeferrable, p.tginitdeferred)
ORDER BY 1;
