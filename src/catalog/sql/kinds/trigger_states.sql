-- Triggers that enforce a constraint (foreign keys; deferrable unique and exclusion constraints) and
-- are not enabled in the usual way. Their names hold OIDs, and those of a partition belong to
-- constraints with made-up names, so a DO block finds each again by its table, its function and the
-- outermost constraint above it. Where that finds triggers of different states nothing is said
-- here, and the closed world names them; so too without plpgsql, which DO needs.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
WITH RECURSIVE climbing AS (
    SELECT k.oid, k.oid AS outermost, k.conparentid AS parent
      FROM pg_catalog.pg_constraint k WHERE k.contype IN ('f', 'p', 'u', 'x')
  UNION ALL
    SELECT c.oid, p.oid, p.conparentid FROM climbing c JOIN pg_catalog.pg_constraint p ON p.oid = c.parent
), states AS MATERIALIZED (
    SELECT t.tgrelid, t.tgfoid, c.outermost,
           min(t.oid) AS oid, array_agg(t.oid) AS triggers, array_agg(t.tgconstraint) AS constraints,
           min(t.tgenabled::text) AS enabled
      FROM pg_catalog.pg_trigger t
      JOIN climbing c ON c.oid = t.tgconstraint AND c.parent = 0
     WHERE t.tgisinternal
     GROUP BY t.tgrelid, t.tgfoid, c.outermost
    HAVING min(t.tgenabled::text) <> 'O' AND min(t.tgenabled::text) = max(t.tgenabled::text)
-- Joined in two steps: one join of all these catalogs takes longer to plan than the whole query to run.
), named AS MATERIALIZED (
    SELECT s.*, n.nspname, r.relname, f.proname, fn.nspname AS function_schema
      FROM states s
      JOIN pg_catalog.pg_class r ON r.oid = s.tgrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
      JOIN pg_catalog.pg_proc f ON f.oid = s.tgfoid
      JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
     WHERE r.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND EXISTS (SELECT FROM pg_catalog.pg_language l WHERE l.lanname = 'plpgsql')
)
SELECT s.oid, s.nspname AS schema, format('%s %s %s', s.relname, k.conname, s.proname) AS name,
       format('state of trigger %I for constraint %I on %s', s.proname, k.conname, part.quoted)
         || CASE WHEN part.quoted = enforced.quoted THEN '' ELSE format(' of %s', enforced.quoted) END AS target,
       to_json(ARRAY[s.relname::text]) AS tie,
       format('DO %L;', replace(block.text, '$VERB$', CASE s.enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END)) AS create_text,
       format('DO %L;', replace(block.text, '$VERB$', 'ENABLE')) AS drop_text,
       to_json(ARRAY(SELECT format('2620:%s', x) FROM unnest(s.triggers) x)) AS aliases,
       to_json(format('1259:%s', s.tgrelid) || ARRAY(SELECT format('2606:%s', x) FROM unnest(s.outermost || s.constraints) x)) AS needs
FROM named s
JOIN pg_catalog.pg_constraint k ON k.oid = s.outermost
JOIN pg_catalog.pg_class kr ON kr.oid = k.conrelid
JOIN pg_catalog.pg_namespace kn ON kn.oid = kr.relnamespace
CROSS JOIN LATERAL (SELECT format('%I.%I', s.nspname, s.relname) AS quoted) part
CROSS JOIN LATERAL (SELECT format('%I.%I', kn.nspname, kr.relname) AS quoted) enforced
CROSS JOIN LATERAL (SELECT format(
'DECLARE
    trigger_name pg_catalog.text;
BEGIN
    FOR trigger_name IN
        WITH RECURSIVE climbing AS (
            SELECT t.tgname, k.conname, k.conrelid, k.conparentid
              FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
             WHERE t.tgisinternal AND t.tgrelid = %1$L::pg_catalog.regclass AND t.tgfoid = %2$L::pg_catalog.regproc
          UNION ALL
            SELECT c.tgname, p.conname, p.conrelid, p.conparentid
              FROM climbing c JOIN pg_catalog.pg_constraint p ON p.oid = c.conparentid
        )
        SELECT c.tgname FROM climbing c
         WHERE c.conparentid = 0 AND c.conname = %3$L AND c.conrelid = %4$L::pg_catalog.regclass
    LOOP
        EXECUTE pg_catalog.format(''ALTER TABLE ONLY %%s $VERB$ TRIGGER %%I'', %1$L, trigger_name);
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION ''no trigger %% on %% enforces constraint %% of %%'', %2$L, %1$L, %3$L, %4$L;
    END IF;
END',
    part.quoted, format('%I.%I', s.function_schema, s.proname), k.conname, enforced.quoted) AS text) block
ORDER BY s.nspname, s.relname, k.conname, s.proname;
