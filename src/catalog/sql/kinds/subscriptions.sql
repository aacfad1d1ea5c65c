-- Subscriptions of this database, as statements (spec section 1.3 SUBSCRIPTION). Never connects. streaming
-- is always stated, because its default changed; run_as_owner too, by a block where the server is
-- older than the option: there the owner's rights were always used, and a newer server that the
-- archive is restored on would use others.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT s.oid, NULL AS schema, s.subname AS name,
       format('SUBSCRIPTION %I', s.subname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION %s WITH (%s);', s.subname, s.subconninfo,
              (SELECT string_agg(quote_ident(p), ', ' ORDER BY place) FROM unnest(s.subpublications) WITH ORDINALITY u(p, place)),
              concat_ws(', ',
                  'connect = false',
                  CASE WHEN s.subslotname IS NULL THEN 'slot_name = NONE' ELSE format('slot_name = %L', s.subslotname) END,
                  CASE WHEN s.subbinary THEN 'binary = true' END,
                  'streaming = ' || CASE j ->> 'substream' WHEN 'p' THEN 'parallel' WHEN 't' THEN 'on' WHEN 'true' THEN 'on' ELSE 'off' END,
                  CASE WHEN s.subsynccommit <> 'off' THEN format('synchronous_commit = %L', s.subsynccommit) END,
                  CASE WHEN j ->> 'subtwophasestate' IN ('p', 'e') THEN 'two_phase = on' END,
                  CASE WHEN j ->> 'subdisableonerr' = 'true' THEN 'disable_on_error = true' END,
                  CASE WHEN j ->> 'subpasswordrequired' = 'false' THEN 'password_required = false' END,
                  'run_as_owner = ' || (j ->> 'subrunasowner'),
                  CASE WHEN j ->> 'suborigin' <> 'any' THEN format('origin = %L', j ->> 'suborigin') END,
                  CASE WHEN j ->> 'subfailover' = 'true' THEN 'failover = true' END))
         || CASE WHEN j ? 'subrunasowner' THEN ''
                 ELSE format(E'\nDO %L;', format('BEGIN IF pg_catalog.current_setting(''server_version_num'')::pg_catalog.int4 >= 160000 THEN EXECUTE %L; END IF; END',
                                                 format('ALTER SUBSCRIPTION %I SET (run_as_owner = true)', s.subname))) END AS create_text,
       coalesce(j ->> 'subskiplsn', '0/0') <> '0/0' AS skips,
       format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I;', s.subname) AS drop_text
FROM pg_catalog.pg_subscription s
CROSS JOIN LATERAL to_jsonb(s) j
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.subowner
WHERE s.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
ORDER BY s.subname;
