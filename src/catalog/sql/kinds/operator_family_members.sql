-- Members that somebody added to an operator family that is not a user's: a built-in one (then the
-- row's own OID tells), or an extension's (then what it refers to belongs to no extension; what an
-- extension's script added itself comes back with the extension). A user's class inside such a
-- family brings the members that pg_depend ties to it. pg_dump loses these without a word.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT m.class, m.oid, NULL AS schema,
       format('%s of %s', m.slot, m.family) AS name,
       format('member %s of operator family %s', m.slot, m.family) AS target,
       to_json(ARRAY[m.slot]) AS tie,
       format('ALTER OPERATOR FAMILY %s ADD %s;', m.family, m.text) AS create_text,
       format('ALTER OPERATOR FAMILY %s DROP %s;', m.family, m.slot) AS drop_text
FROM (
    SELECT 2602 AS class, o.oid, o.amopfamily AS family_oid,
           2617 AS to_class, o.amopopr AS to_object,
           format('%I.%I USING %I', n.nspname, f.opfname, am.amname) AS family,
           format('OPERATOR %s (%s, %s)', o.amopstrategy, format_type(o.amoplefttype, NULL), format_type(o.amoprighttype, NULL)) AS slot,
           format('OPERATOR %s %s%s', o.amopstrategy, o.amopopr::regoperator,
                  coalesce((SELECT format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname)
                              FROM pg_catalog.pg_opfamily sf JOIN pg_catalog.pg_namespace sn ON sn.oid = sf.opfnamespace
                             WHERE sf.oid = o.amopsortfamily), '')) AS text
      FROM pg_catalog.pg_amop o
      JOIN pg_catalog.pg_opfamily f ON f.oid = o.amopfamily
      JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
      JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
     WHERE o.oid >= 16384
  UNION ALL
    SELECT 2603, p.oid, p.amprocfamily,
           1255, p.amproc,
           format('%I.%I USING %I', n.nspname, f.opfname, am.amname),
           format('FUNCTION %s (%s, %s)', p.amprocnum, format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL)),
           format('FUNCTION %s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL),
                  p.amproc::regprocedure)
      FROM pg_catalog.pg_amproc p
      JOIN pg_catalog.pg_opfamily f ON f.oid = p.amprocfamily
      JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
      JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
     WHERE p.oid >= 16384) m
WHERE (m.family_oid < 16384
       OR EXISTS (SELECT FROM pg_catalog.pg_depend e
                   WHERE e.classid = 'pg_catalog.pg_opfamily'::regclass AND e.objid = m.family_oid AND e.deptype = 'e'))
  AND (m.family_oid < 16384 OR m.to_object >= 16384)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                   WHERE e.classid = m.to_class AND e.objid = m.to_object AND e.deptype = 'e')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend c
                   WHERE c.classid = m.class AND c.objid = m.oid
                     AND c.refclassid = 'pg_catalog.pg_opclass'::regclass AND c.refobjid >= 16384)
ORDER BY m.family, m.slot;
