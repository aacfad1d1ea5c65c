-- Fragment: the query over the list that describe_head.sql begins. "loss" is a word of Loss::name.
)
SELECT coalesce(pg_describe_object(w.class, w.object, 0), format('object %s of %s', w.object, w.class::regclass)) AS description,
       w.class::regclass::text AS catalog,
       CASE WHEN t.tgisinternal THEN 'trigger-state'
            WHEN i.schema IN ('pg_catalog', 'information_schema') THEN 'system-object'
            ELSE 'unknown-object' END AS loss,
       CASE WHEN w.class IN ('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_default_acl'::regclass,
                             'pg_catalog.pg_publication_rel'::regclass, 'pg_catalog.pg_attrdef'::regclass,
                             'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_constraint'::regclass,
                             'pg_catalog.pg_user_mapping'::regclass) OR t.tgisinternal THEN NULL
            WHEN w.class = 'pg_catalog.pg_largeobject'::regclass THEN format('SELECT pg_catalog.lo_unlink(%s);', w.object)
            WHEN i.type IS NOT NULL THEN format('DROP %s IF EXISTS %s CASCADE;',
                                                 CASE i.type WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
                                                             WHEN 'statistics object' THEN 'STATISTICS' ELSE upper(i.type) END, i.identity) END AS removal,
       CASE WHEN t.tgisinternal THEN 'a trigger that enforces a foreign key is disabled, which a backup cannot express; ALTER TABLE ... ENABLE TRIGGER ALL'
            WHEN i.schema IN ('pg_catalog', 'information_schema')
                THEN format('it was put into %s, which belongs to the server and is in no dump; move it to a schema of its own', i.schema)
            ELSE 'this kind of object is not covered yet' END AS reason
FROM wanted w
LEFT JOIN LATERAL pg_identify_object(w.class, w.object, 0) i ON true
LEFT JOIN pg_catalog.pg_trigger t ON w.class = 'pg_catalog.pg_trigger'::regclass AND t.oid = w.object
ORDER BY 1;
