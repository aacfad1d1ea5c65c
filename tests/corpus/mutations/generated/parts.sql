-- Constraints, indexes, triggers, rules, policies and statistics: one changed, or one less.
WITH mine AS (
    SELECT c.oid AS relation, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), changes(what, change) AS (
    SELECT format('constraint %s of %s dropped', conname, conrelid::regclass), format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname)
    FROM pg_constraint WHERE conrelid IN (SELECT relation FROM mine) AND contype IN ('c', 'p', 'u', 'x', 'f') AND conparentid = 0 AND coninhcount = 0
    UNION ALL
    SELECT format('constraint %s of %s renamed', conname, conrelid::regclass), format('ALTER TABLE %s RENAME CONSTRAINT %I TO "renamed %s"', conrelid::regclass, conname, oid)
    FROM pg_constraint WHERE conrelid IN (SELECT relation FROM mine) AND contype IN ('c', 'p', 'u', 'x', 'f') AND conparentid = 0 AND coninhcount = 0
    UNION ALL
    SELECT format('validity of constraint %s of %s', conname, conrelid::regclass), format('UPDATE pg_catalog.pg_constraint SET convalidated = NOT convalidated WHERE oid = %s', oid)
    FROM pg_constraint WHERE conrelid IN (SELECT relation FROM mine) AND contype IN ('c', 'f') AND conparentid = 0 AND coninhcount = 0
    UNION ALL
    SELECT format('deferrability of constraint %s of %s', conname, conrelid::regclass),
           format('UPDATE pg_catalog.pg_constraint SET condeferrable = true, condeferred = NOT condeferred WHERE oid = %s', oid)
    FROM pg_constraint WHERE conrelid IN (SELECT relation FROM mine) AND contype IN ('p', 'u', 'x', 'f') AND conparentid = 0
    UNION ALL
    SELECT format('delete action of constraint %s of %s', conname, conrelid::regclass),
           format('UPDATE pg_catalog.pg_constraint SET confdeltype = %L WHERE oid = %s', CASE confdeltype WHEN 'r' THEN 'a' ELSE 'r' END, oid)
    FROM pg_constraint WHERE conrelid IN (SELECT relation FROM mine) AND contype = 'f' AND conparentid = 0 AND to_jsonb(pg_constraint) ->> 'confdelsetcols' IS NULL
    UNION ALL
    SELECT format('index %s dropped', indexrelid::regclass), format('DROP INDEX %s CASCADE', indexrelid::regclass)
    FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid IN (SELECT relation FROM mine) AND NOT relispartition
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = indexrelid AND contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT format('index %s renamed', indexrelid::regclass), format('ALTER INDEX %s RENAME TO "renamed %s"', indexrelid::regclass, indexrelid)
    FROM pg_index i WHERE indrelid IN (SELECT relation FROM mine)
    UNION ALL
    SELECT format('index %s made invalid', indexrelid::regclass), format('UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = %s', indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid IN (SELECT relation FROM mine) AND c.relkind = 'i' AND NOT c.relispartition
    UNION ALL
    SELECT format('fillfactor of index %s', indexrelid::regclass), format('ALTER INDEX %s SET (fillfactor = 77)', indexrelid::regclass)
    FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam
    WHERE indrelid IN (SELECT relation FROM mine) AND c.relkind = 'i' AND amname IN ('btree', 'hash', 'gist')
    UNION ALL
    SELECT format('index %s as replica identity', indexrelid::regclass), format('UPDATE pg_catalog.pg_class SET relreplident = ''i'' WHERE oid = %s; UPDATE pg_catalog.pg_index SET indisreplident = (indexrelid = %s) WHERE indrelid = %1$s', indrelid, indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE indrelid IN (SELECT relation FROM mine) AND c.relkind = 'r' AND indisunique AND NOT indisreplident
    UNION ALL
    SELECT format('trigger %s of %s dropped', tgname, tgrelid::regclass), format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass)
    FROM pg_trigger WHERE tgrelid IN (SELECT relation FROM mine) AND NOT tgisinternal AND tgparentid = 0
    UNION ALL
    SELECT format('state of trigger %s of %s', tgname, tgrelid::regclass), format('UPDATE pg_catalog.pg_trigger SET tgenabled = %L WHERE oid = %s', state, t.oid)
    FROM pg_trigger t CROSS JOIN unnest('{O,D,R,A}'::"char"[]) AS state
    WHERE tgrelid IN (SELECT relation FROM mine) AND NOT tgisinternal AND state <> tgenabled
    UNION ALL
    SELECT format('state of internal trigger of %s on %s', coalesce((SELECT conname FROM pg_constraint k WHERE k.oid = tgconstraint), '?'), tgrelid::regclass),
           format('UPDATE pg_catalog.pg_trigger SET tgenabled = ''D'' WHERE oid = %s', t.oid)
    FROM pg_trigger t WHERE tgrelid IN (SELECT relation FROM mine) AND tgisinternal
    UNION ALL
    SELECT format('arguments of trigger %s of %s', tgname, tgrelid::regclass), format('UPDATE pg_catalog.pg_trigger SET tgnargs = tgnargs + 1, tgargs = tgargs || ''\x6d6f726500'' WHERE oid = %s', oid)
    FROM pg_trigger WHERE tgrelid IN (SELECT relation FROM mine) AND NOT tgisinternal AND tgparentid = 0
    UNION ALL
    SELECT format('rule %s of %s dropped', rulename, ev_class::regclass), format('DROP RULE %I ON %s', rulename, ev_class::regclass)
    FROM pg_rewrite WHERE ev_class IN (SELECT relation FROM mine) AND rulename <> '_RETURN'
    UNION ALL
    SELECT format('state of rule %s of %s', rulename, ev_class::regclass), format('UPDATE pg_catalog.pg_rewrite SET ev_enabled = %L WHERE oid = %s', state, r.oid)
    FROM pg_rewrite r CROSS JOIN unnest('{O,D,R,A}'::"char"[]) AS state
    WHERE ev_class IN (SELECT relation FROM mine) AND rulename <> '_RETURN' AND state <> ev_enabled
    UNION ALL
    SELECT format('policy %s of %s dropped', polname, polrelid::regclass), format('DROP POLICY %I ON %s', polname, polrelid::regclass)
    FROM pg_policy WHERE polrelid IN (SELECT relation FROM mine)
    UNION ALL
    SELECT format('policy %s of %s: permissive or restrictive', polname, polrelid::regclass), format('UPDATE pg_catalog.pg_policy SET polpermissive = NOT polpermissive WHERE oid = %s', oid)
    FROM pg_policy WHERE polrelid IN (SELECT relation FROM mine)
    UNION ALL
    SELECT format('policy %s of %s: command', polname, polrelid::regclass), format('UPDATE pg_catalog.pg_policy SET polcmd = CASE polcmd WHEN ''*'' THEN ''w'' ELSE ''*'' END WHERE oid = %s', oid)
    FROM pg_policy WHERE polrelid IN (SELECT relation FROM mine)
    UNION ALL
    SELECT format('policy %s of %s: roles', polname, polrelid::regclass), format('ALTER POLICY %I ON %s TO pg_monitor', polname, polrelid::regclass)
    FROM pg_policy WHERE polrelid IN (SELECT relation FROM mine)
    UNION ALL
    SELECT format('statistics %s dropped', stxname), format('DROP STATISTICS %s.%I', stxnamespace::regnamespace, stxname) FROM pg_statistic_ext
    UNION ALL
    SELECT format('target of statistics %s', stxname), format('ALTER STATISTICS %s.%I SET STATISTICS 33', stxnamespace::regnamespace, stxname) FROM pg_statistic_ext
)
SELECT what, change FROM changes ORDER BY 1, 2;
