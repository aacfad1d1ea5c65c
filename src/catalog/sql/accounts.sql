-- Books that must balance (spec section 7.2): rows that have no row of their own kind to belong to, or of
-- which there are not as many as their owner says. Nothing here is normal, so each is refused.
-- References between catalogs are checked apart (references.sql).
WITH parents AS (
    SELECT c.oid AS child, h.oid AS parent, c.conrelid, c.conname, c.contype
    FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.conrelid
    JOIN pg_catalog.pg_constraint h ON h.conrelid = i.inhparent AND h.conname = c.conname AND h.contype = c.contype
    WHERE c.contype = 'c'
), own_constraint AS (
    SELECT conrelid, count(*) FILTER (WHERE contype = 'c') AS checks FROM pg_catalog.pg_constraint WHERE conrelid <> 0 GROUP BY conrelid
), attributes AS (
    SELECT attrelid, count(*) AS number, max(attnum) AS last FROM pg_catalog.pg_attribute WHERE attnum > 0 GROUP BY attrelid
)
SELECT 'pg_attribute' AS catalog, format('relation %s', c.oid::regclass) AS object,
       format('it says that it has %s columns, and there are %s', c.relnatts, coalesce(a.number, 0)) AS reason
FROM pg_catalog.pg_class c LEFT JOIN attributes a ON a.attrelid = c.oid
WHERE c.relnatts <> coalesce(a.number, 0) OR a.number <> a.last
UNION ALL
SELECT 'pg_attrdef', format('column %s.%I', a.attrelid::regclass, a.attname), 'it says that it has a default, and there is none'
FROM pg_catalog.pg_attribute a WHERE a.atthasdef AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum)
UNION ALL
SELECT 'pg_attrdef', format('default of column %s.%I', a.attrelid::regclass, a.attname), 'the column says that it has no default'
FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE NOT a.atthasdef
UNION ALL
SELECT 'pg_constraint', format('constraint %I on %s', c.conname, c.conrelid::regclass), 'it is inherited, and no parent has it'
FROM pg_catalog.pg_constraint c WHERE c.contype = 'c' AND c.conrelid <> 0 AND (NOT c.conislocal OR c.coninhcount > 0)
  AND NOT EXISTS (SELECT FROM parents p WHERE p.child = c.oid)
UNION ALL
SELECT 'pg_constraint', format('constraint %I', c.conname), 'it belongs to no table and to no domain'
FROM pg_catalog.pg_constraint c WHERE c.conrelid = 0 AND c.contypid = 0
UNION ALL
SELECT 'pg_class', format('table %s', c.oid::regclass), format('it says that it has %s checks, and there are %s', c.relchecks, coalesce(o.checks, 0))
FROM pg_catalog.pg_class c LEFT JOIN own_constraint o ON o.conrelid = c.oid WHERE c.relchecks <> coalesce(o.checks, 0)
UNION ALL
SELECT 'pg_index', format('index %s', c.oid::regclass), 'it has no row in pg_index'
FROM pg_catalog.pg_class c WHERE c.relkind IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid)
UNION ALL
SELECT 'pg_index', format('relation %s', c.oid::regclass), 'it has a row in pg_index and is no index'
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE c.relkind NOT IN ('i', 'I')
UNION ALL
SELECT 'pg_inherits', format('partition %s', c.oid::regclass), 'it says that it is a partition, and has not exactly one parent and a bound'
FROM pg_catalog.pg_class c
WHERE c.relispartition AND ((SELECT count(*) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) <> 1
                            OR (c.relkind NOT IN ('i', 'I') AND c.relpartbound IS NULL))
UNION ALL
SELECT 'pg_inherits', format('table %s', c.oid::regclass), 'it hangs below a partitioned table and says that it is no partition'
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
WHERE p.relkind IN ('p', 'I') AND NOT c.relispartition
UNION ALL
SELECT 'pg_partitioned_table', format('table %s', c.oid::regclass), 'being partitioned and having a partition key do not go together'
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid WHERE (c.relkind = 'p') <> (p.partrelid IS NOT NULL)
UNION ALL
SELECT 'pg_foreign_table', format('table %s', c.oid::regclass), 'being foreign and having a server do not go together'
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = c.oid WHERE (c.relkind = 'f') <> (f.ftrelid IS NOT NULL)
UNION ALL
SELECT 'pg_sequence', format('sequence %s', c.oid::regclass), 'being a sequence and having its parameters do not go together'
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid WHERE (c.relkind = 'S') <> (s.seqrelid IS NOT NULL)
UNION ALL
SELECT 'pg_enum', format('label %L of type %s', e.enumlabel, t.oid::regtype), 'its type is no enumeration'
FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid WHERE t.typtype <> 'e'
UNION ALL
SELECT 'pg_range', format('type %s', t.oid::regtype), 'being a range and having a subtype do not go together'
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid WHERE (t.typtype = 'r') <> (r.rngtypid IS NOT NULL)
UNION ALL
SELECT 'pg_range', format('type %s', t.oid::regtype), 'it is a multirange of no range'
FROM pg_catalog.pg_type t WHERE t.typtype = 'm' AND NOT EXISTS (SELECT FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)
UNION ALL
SELECT 'pg_type', format('type %s', t.oid::regtype), 'its array type is the array of something else'
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type a ON a.oid = t.typarray WHERE a.typelem <> t.oid
UNION ALL
SELECT 'pg_type', format('type %s', t.oid::regtype), 'its relation has another row type'
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typtype = 'c' AND c.reltype <> t.oid
UNION ALL
SELECT 'pg_proc', format('function %s', p.oid::regprocedure), 'being an aggregate and having its parts do not go together'
FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid WHERE (p.prokind = 'a') <> (a.aggfnoid IS NOT NULL)
UNION ALL
SELECT 'pg_rewrite', format('view %s', c.oid::regclass), 'it has not exactly one rule _RETURN'
FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm')
  AND (SELECT count(*) FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename = '_RETURN') <> 1
UNION ALL
SELECT 'pg_trigger', format('trigger %I on %s', t.tgname, t.tgrelid::regclass), 'the server made it for a constraint, and there is none'
FROM pg_catalog.pg_trigger t WHERE t.tgisinternal AND t.tgconstraint = 0 AND t.tgparentid = 0
UNION ALL
SELECT 'pg_amop', format('operator %s of an operator family', m.amopopr::regoperator), 'it hangs on more than one operator class or family, or on none'
FROM pg_catalog.pg_amop m WHERE m.oid >= 16384 AND (SELECT count(*) FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_amop'::regclass AND d.objid = m.oid AND d.refclassid IN ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass))
    NOT IN (1, CASE WHEN m.amopfamily < 16384 THEN 0 ELSE 1 END)
UNION ALL
SELECT 'pg_amproc', format('function %s of an operator family', m.amproc), 'it hangs on more than one operator class or family, or on none'
FROM pg_catalog.pg_amproc m WHERE m.oid >= 16384 AND (SELECT count(*) FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_amproc'::regclass AND d.objid = m.oid AND d.refclassid IN ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass))
    NOT IN (1, CASE WHEN m.amprocfamily < 16384 THEN 0 ELSE 1 END)
UNION ALL
SELECT 'pg_init_privs', format('object %s of %s', p.objoid, p.classoid::regclass), 'it has grants from the beginning and belongs to no extension'
FROM pg_catalog.pg_init_privs p WHERE p.objoid >= 16384
-- Before 17 a dropped extension leaves such rows behind, of objects that are gone; an extension's
-- script may grant on the schema that it is made in.
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_extension'::regclass
                     AND x.refclassid = p.classoid AND x.refobjid = p.objoid)
  AND pg_describe_object(p.classoid, p.objoid, p.objsubid) IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = p.classoid AND d.objid = p.objoid AND d.deptype = 'e')
UNION ALL
SELECT DISTINCT 'pg_depend', format('object %s of catalog %s', d.objid, d.classid), 'its dependency names a catalog that is none'
FROM pg_catalog.pg_depend d
WHERE d.deptype <> 'p'
  AND (NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.classid AND c.oid < 16384 AND c.relkind = 'r')
       OR NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.refclassid AND c.oid < 16384 AND c.relkind = 'r'))
UNION ALL
SELECT DISTINCT 'pg_description', format('comment %L', left(d.description, 40)), 'the object that it describes is of a catalog that is none'
FROM pg_catalog.pg_description d WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.classoid AND c.oid < 16384 AND c.relkind = 'r')
ORDER BY 1, 2, 3;
