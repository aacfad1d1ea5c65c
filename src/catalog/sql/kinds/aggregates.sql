-- Aggregates. pg_get_functiondef refuses them, so every property is listed here.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT p.oid, n.nspname AS schema, p.proname AS name,
       format('AGGREGATE %I.%I(%s)', n.nspname, p.proname,
              CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_identity_arguments(p.oid) END) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       to_json(ARRAY[to_char(p.pronargs, 'FM00000'), pg_get_function_identity_arguments(p.oid)]) AS tie,
       format('CREATE AGGREGATE %I.%I(%s) (%s);', n.nspname, p.proname,
              CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END,
              concat_ws(', ',
                  format('SFUNC = %s', a.aggtransfn),
                  format('STYPE = %s', format_type(a.aggtranstype, NULL)),
                  CASE WHEN a.aggtransspace <> 0 THEN format('SSPACE = %s', a.aggtransspace) END,
                  CASE WHEN a.agginitval IS NOT NULL THEN format('INITCOND = %L', a.agginitval) END,
                  CASE WHEN a.aggfinalfn <> 0 THEN format('FINALFUNC = %s', a.aggfinalfn) END,
                  CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
                  CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalmodify <> CASE WHEN a.aggkind = 'n' THEN 'r' ELSE 'w' END
                       THEN 'FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
                  CASE WHEN a.aggcombinefn <> 0 THEN format('COMBINEFUNC = %s', a.aggcombinefn) END,
                  CASE WHEN a.aggserialfn <> 0 THEN format('SERIALFUNC = %s', a.aggserialfn) END,
                  CASE WHEN a.aggdeserialfn <> 0 THEN format('DESERIALFUNC = %s', a.aggdeserialfn) END,
                  CASE WHEN a.aggmtransfn <> 0 THEN format('MSFUNC = %s', a.aggmtransfn) END,
                  CASE WHEN a.aggminvtransfn <> 0 THEN format('MINVFUNC = %s', a.aggminvtransfn) END,
                  CASE WHEN a.aggmtranstype <> 0 THEN format('MSTYPE = %s', format_type(a.aggmtranstype, NULL)) END,
                  CASE WHEN a.aggmtransspace <> 0 THEN format('MSSPACE = %s', a.aggmtransspace) END,
                  CASE WHEN a.aggminitval IS NOT NULL THEN format('MINITCOND = %L', a.aggminitval) END,
                  CASE WHEN a.aggmfinalfn <> 0 THEN format('MFINALFUNC = %s', a.aggmfinalfn) END,
                  CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
                  CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalmodify <> CASE WHEN a.aggkind = 'n' THEN 'r' ELSE 'w' END
                       THEN 'MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
                  CASE WHEN a.aggsortop <> 0 THEN (SELECT format('SORTOP = OPERATOR(%I.%s)', sn.nspname, so.oprname)
                                                     FROM pg_catalog.pg_operator so JOIN pg_catalog.pg_namespace sn ON sn.oid = so.oprnamespace
                                                    WHERE so.oid = a.aggsortop) END,
                  CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END,
                  CASE p.proparallel WHEN 's' THEN 'PARALLEL = safe' WHEN 'r' THEN 'PARALLEL = restricted' END)) AS create_text
FROM pg_catalog.pg_aggregate a
JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, p.proname, p.pronargs;
