-- Operator classes with the members that pg_depend ties to them. An empty class states its own
-- input type as storage, because the grammar wants one item.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT c.oid, n.nspname AS schema, c.opcname AS name,
       format('OPERATOR CLASS %I.%I USING %I', n.nspname, c.opcname, am.amname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       to_json(ARRAY[am.amname::text]) AS tie,
       format('CREATE OPERATOR CLASS %I.%I %sFOR TYPE %s USING %I FAMILY %I.%I AS %s;', n.nspname, c.opcname,
              CASE WHEN c.opcdefault THEN 'DEFAULT ' ELSE '' END, format_type(c.opcintype, NULL), am.amname, fn.nspname, f.opfname,
              concat_ws(', ', CASE WHEN c.opckeytype <> 0 THEN format('STORAGE %s', format_type(c.opckeytype, NULL))
                                   WHEN own.members IS NULL THEN format('STORAGE %s', format_type(c.opcintype, NULL)) END,
                        own.members)) AS create_text,
       own.aliases
FROM pg_catalog.pg_opclass c
JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace
JOIN pg_catalog.pg_am am ON am.oid = c.opcmethod
JOIN pg_catalog.pg_opfamily f ON f.oid = c.opcfamily
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.opcowner
LEFT JOIN LATERAL (
    SELECT string_agg(m.text, ', ' ORDER BY m.text) AS members, to_json(array_agg(m.alias)) AS aliases
    FROM (SELECT format('OPERATOR %s %s%s', o.amopstrategy, o.amopopr::regoperator,
                        CASE WHEN o.amopsortfamily <> 0
                             THEN (SELECT format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname)
                                     FROM pg_catalog.pg_opfamily sf JOIN pg_catalog.pg_namespace sn ON sn.oid = sf.opfnamespace
                                    WHERE sf.oid = o.amopsortfamily) ELSE '' END) AS text,
                 format('2602:%s', o.oid) AS alias
            FROM pg_catalog.pg_amop o
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_amop'::regclass AND d.objid = o.oid
             AND d.refclassid = 'pg_catalog.pg_opclass'::regclass AND d.refobjid = c.oid
          UNION ALL
          SELECT format('FUNCTION %s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL),
                        p.amproc::regprocedure),
                 format('2603:%s', p.oid)
            FROM pg_catalog.pg_amproc p
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_amproc'::regclass AND d.objid = p.oid
             AND d.refclassid = 'pg_catalog.pg_opclass'::regclass AND d.refobjid = c.oid) m) own ON true
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.opcname, am.amname;
