-- Operator families with their loose members; members of a class come with the class.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT f.oid, n.nspname AS schema, f.opfname AS name,
       format('OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, am.amname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       to_json(ARRAY[am.amname::text]) AS tie,
       format('CREATE OPERATOR FAMILY %I.%I USING %I;', n.nspname, f.opfname, am.amname)
         || CASE WHEN loose.members IS NULL THEN ''
                 ELSE format(E'\nALTER OPERATOR FAMILY %I.%I USING %I ADD %s;', n.nspname, f.opfname, am.amname, loose.members) END AS create_text,
       loose.aliases
FROM pg_catalog.pg_opfamily f
JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
LEFT JOIN pg_catalog.pg_roles r ON r.oid = f.opfowner
LEFT JOIN LATERAL (
    SELECT string_agg(m.text, ', ' ORDER BY m.text) AS members, to_json(array_agg(m.alias)) AS aliases
    FROM (SELECT format('OPERATOR %s %s%s', o.amopstrategy, o.amopopr::regoperator,
                        CASE WHEN o.amopsortfamily <> 0
                             THEN (SELECT format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname)
                                     FROM pg_catalog.pg_opfamily sf JOIN pg_catalog.pg_namespace sn ON sn.oid = sf.opfnamespace
                                    WHERE sf.oid = o.amopsortfamily) ELSE '' END) AS text,
                 format('2602:%s', o.oid) AS alias
            FROM pg_catalog.pg_amop o
           WHERE o.amopfamily = f.oid
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_amop'::regclass AND d.objid = o.oid
                               AND d.refclassid = 'pg_catalog.pg_opclass'::regclass)
          UNION ALL
          SELECT format('FUNCTION %s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL),
                        p.amproc::regprocedure),
                 format('2603:%s', p.oid)
            FROM pg_catalog.pg_amproc p
           WHERE p.amprocfamily = f.oid
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_amproc'::regclass AND d.objid = p.oid
                               AND d.refclassid = 'pg_catalog.pg_opclass'::regclass)) m) loose ON true
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, f.opfname, am.amname;
