-- What decides how rows are read and loaded again: one row of facts, lists as JSON.
-- moving: partitioned tables whose hash keys may give other hashes after a restore. Enum values and
-- reg* values are hashed by OID, and these are new ones (spec section 3.1); so is whatever contains one, and
-- a key that is an expression is taken to. A nondeterministic collation hashes by the machine's ICU.
-- shifting: tables whose rows come to say something else without being written. They hold names of other objects (reg*
-- and aclitem, and whatever contains one), or values of a composite type that lost an attribute, perhaps since.
-- unloadable: columns with a type whose values no server reads back from text (spec section 3.3).
WITH RECURSIVE contains (outside, inside) AS (
       SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
        UNION ALL
       SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem <> 0 AND t.typlen = -1
        UNION ALL
       SELECT t.oid, a.atttypid
         FROM pg_catalog.pg_type t
         JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.typtype = 'c'
        UNION ALL
       SELECT r.rngtypid, r.rngsubtype FROM pg_catalog.pg_range r
        UNION ALL
       SELECT r.rngmultitypid, r.rngtypid FROM pg_catalog.pg_range r
     ),
     hash_keys AS (
       SELECT p.partrelid AS relation, k.attribute, k.rules, a.atttypid AS type, oc.opcintype AS input
         FROM pg_catalog.pg_partitioned_table p
        CROSS JOIN LATERAL unnest(p.partattrs::pg_catalog.int2[], p.partclass::pg_catalog.oid[],
                                  p.partcollation::pg_catalog.oid[]) k (attribute, class, rules)
         JOIN pg_catalog.pg_opclass oc ON oc.oid = k.class
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attribute
                                            AND k.attribute <> 0
        WHERE p.partstrat = 'h'
     ),
     key_types (relation, type) AS (
       SELECT k.relation, coalesce(k.type, k.input) FROM hash_keys k
        UNION
       SELECT k.relation, c.inside FROM key_types k JOIN contains c ON c.outside = k.type
     ),
     column_types (relation, number, type) AS (
       SELECT a.attrelid, a.attnum, a.atttypid
         FROM pg_catalog.pg_attribute a
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relpersistence <> 't'
          AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND (t.oid >= 16384 OR t.typname ~ '^_?(reg|aclitem)' OR t.typname = ANY (ARRAY['pg_node_tree', 'pg_ndistinct', 'pg_dependencies',
               'pg_mcv_list', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary']))
        UNION
       SELECT k.relation, k.number, c.inside FROM column_types k JOIN contains c ON c.outside = k.type
     )
SELECT pg_is_in_recovery() AS in_recovery,
       current_setting('server_encoding') AS encoding,
       (SELECT to_json(array_agg(DISTINCT m.relation::pg_catalog.text))
          FROM (SELECT k.relation
                  FROM key_types k JOIN pg_catalog.pg_type t ON t.oid = k.type
                 WHERE t.typtype = 'e'
                    OR (t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^reg')
                    OR t.typname IN ('anyenum', 'anyarray', 'record', 'anyrange', 'anymultirange')
                 UNION
                SELECT k.relation
                  FROM hash_keys k JOIN pg_catalog.pg_collation co ON co.oid = k.rules
                 WHERE NOT co.collisdeterministic) m) AS moving,
       (SELECT to_json(array_agg(DISTINCT k.relation::pg_catalog.text))
          FROM column_types k
          JOIN pg_catalog.pg_type t ON t.oid = k.type
         WHERE (t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^(reg|aclitem)')
            OR EXISTS (SELECT FROM pg_catalog.pg_attribute lost
                        WHERE lost.attrelid = t.typrelid AND lost.attnum > 0 AND lost.attisdropped)) AS shifting,
       (SELECT to_json(array_agg(DISTINCT k.relation || ' ' || k.number || ' ' || t.typname))
          FROM column_types k
          JOIN pg_catalog.pg_type t ON t.oid = k.type AND t.typnamespace = 'pg_catalog'::regnamespace
         WHERE t.typname IN ('pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list',
                             'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary')) AS unloadable;
