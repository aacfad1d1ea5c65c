-- Every ACL that may differ from its base (spec section 1.6). Items are exploded by the server, in array
-- order; base is what initdb or the extension left, else the built-in default; all_privileges is
-- what ALL means for this kind on this major. A grantee of 0 is PUBLIC. A table's own ACL comes before
-- its columns', those of system columns (negative numbers) included.
WITH acls AS (
    SELECT 'pg_catalog.pg_namespace'::regclass AS class, n.oid AS object, 0 AS part,
           'SCHEMA' AS keyword, quote_ident(n.nspname) AS target, NULL::text AS quoted_column,
           n.nspname AS schema, n.nspowner AS owner, n.nspacl AS acl, 'n'::"char" AS code
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_(toast|temp)'
  UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, 0,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', n.nspname, c.relname), NULL,
           n.nspname, c.relowner, c.relacl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_toast'
  UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, a.attnum,
           'TABLE', format('%I.%I', n.nspname, c.relname), quote_ident(a.attname),
           n.nspname, c.relowner, a.attacl, 'c'::"char"
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT a.attisdropped AND c.relpersistence <> 't'
      AND (a.attacl IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_init_privs i
           WHERE i.classoid = 'pg_catalog.pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = a.attnum))
  UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0,
           CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
           -- An aggregate's own argument list may contain ORDER BY, which GRANT does not know.
           format('%I.%I(%s)', n.nspname, p.proname,
                  CASE WHEN p.prokind = 'a'
                       THEN (SELECT string_agg(format_type(x.type, NULL), ', ' ORDER BY x.place) FROM unnest(p.proargtypes) WITH ORDINALITY x(type, place))
                       ELSE pg_get_function_identity_arguments(p.oid) END), NULL,
           n.nspname, p.proowner, p.proacl, 'f'::"char"
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proacl IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_init_privs i
          WHERE i.classoid = 'pg_catalog.pg_proc'::regclass AND i.objoid = p.oid)
  UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0,
           'TYPE', format('%I.%I', n.nspname, t.typname), NULL,
           n.nspname, t.typowner, t.typacl, 'T'::"char"
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typacl IS NOT NULL
  UNION ALL
    SELECT 'pg_catalog.pg_language'::regclass, l.oid, 0,
           'LANGUAGE', quote_ident(l.lanname), NULL, NULL, l.lanowner, l.lanacl, 'l'::"char"
    FROM pg_catalog.pg_language l WHERE l.lanpltrusted
  UNION ALL
    SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, f.oid, 0,
           'FOREIGN DATA WRAPPER', quote_ident(f.fdwname), NULL, NULL, f.fdwowner, f.fdwacl, 'F'::"char"
    FROM pg_catalog.pg_foreign_data_wrapper f
  UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::regclass, s.oid, 0,
           'FOREIGN SERVER', quote_ident(s.srvname), NULL, NULL, s.srvowner, s.srvacl, 'S'::"char"
    FROM pg_catalog.pg_foreign_server s
  UNION ALL
    SELECT 'pg_catalog.pg_largeobject'::regclass, l.oid, 0,
           'LARGE OBJECT', l.oid::text, NULL, NULL, l.lomowner, l.lomacl, 'L'::"char"
    FROM pg_catalog.pg_largeobject_metadata l
), based AS (
    SELECT a.*,
           i.initprivs IS NOT NULL AS has_init,
           CASE WHEN a.class = 'pg_catalog.pg_namespace'::regclass AND a.target = 'public'
                    THEN acldefault('n', a.owner)
                         || format('=%s/%I', CASE WHEN current_setting('server_version_num')::int < 150000 THEN 'UC' ELSE 'U' END,
                                   pg_get_userbyid(a.owner))::aclitem
                WHEN i.initprivs IS NOT NULL THEN coalesce(moved.initprivs, i.initprivs)
                -- initdb grants on information_schema without recording it in pg_init_privs
                WHEN a.object < 16384 AND a.target = 'information_schema'
                    THEN acldefault('n', a.owner) || format('=U/%I', pg_get_userbyid(a.owner))::aclitem
                WHEN a.object < 16384 AND a.schema = 'information_schema' AND a.code = 'r'
                     AND a.target !~ '^information_schema\.(_pg_|(transforms|sql_parts)$)'
                    THEN acldefault('r', a.owner) || format('=r/%I', pg_get_userbyid(a.owner))::aclitem
                WHEN a.code = 'c' THEN NULL
                ELSE acldefault(a.code, a.owner) END AS base,
           CASE WHEN a.code = 'c' THEN NULL ELSE acldefault(a.code, a.owner) END AS built_in
    FROM acls a
    LEFT JOIN pg_catalog.pg_init_privs i
           ON i.classoid = a.class AND i.objoid = a.object AND i.objsubid = a.part
          AND NOT (a.class = 'pg_catalog.pg_namespace'::regclass AND a.target = 'public')
    LEFT JOIN pg_catalog.pg_depend d
           ON d.classid = a.class AND d.objid = a.object AND d.objsubid = 0 AND d.deptype = 'e' AND i.initprivs IS NOT NULL
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    -- Giving an object to another owner (owners.sql) turns the grants of and to the usual one into
    -- grants of and to the new one.
    CROSS JOIN LATERAL (
        SELECT array_agg(makeaclitem(CASE WHEN x.grantee IN (10, e.extowner) THEN a.owner ELSE x.grantee END,
                                     CASE WHEN x.grantor IN (10, e.extowner) THEN a.owner ELSE x.grantor END,
                                     x.privilege_type, x.is_grantable)) AS initprivs
        FROM aclexplode(i.initprivs) x
        WHERE a.owner NOT IN (10, coalesce(e.extowner, 10))
    ) moved
)
SELECT b.class::oid AS class, b.object, b.part, b.keyword, b.target, b.quoted_column, b.schema,
       quote_ident(ow.rolname) AS quoted_owner, b.owner = 10 AS of_bootstrap,
       (SELECT to_json(array_agg(json_build_object(
                   'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(ge.rolname) END,
                   'grantor', quote_ident(gr.rolname),
                   'privilege', x.privilege_type, 'grantable', x.is_grantable) ORDER BY x.place))
          FROM aclexplode(coalesce(b.acl, b.built_in)) WITH ORDINALITY x(grantor, grantee, privilege_type, is_grantable, place)
          LEFT JOIN pg_catalog.pg_roles gr ON gr.oid = x.grantor
          LEFT JOIN pg_catalog.pg_roles ge ON ge.oid = x.grantee) AS items,
       (SELECT to_json(array_agg(json_build_object(
                   'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(ge.rolname) END,
                   'grantor', quote_ident(gr.rolname),
                   'privilege', x.privilege_type, 'grantable', x.is_grantable) ORDER BY x.place))
          FROM aclexplode(b.base) WITH ORDINALITY x(grantor, grantee, privilege_type, is_grantable, place)
          LEFT JOIN pg_catalog.pg_roles gr ON gr.oid = x.grantor
          LEFT JOIN pg_catalog.pg_roles ge ON ge.oid = x.grantee) AS base_items,
       (SELECT to_json(array_agg(DISTINCT x.privilege_type))
          FROM aclexplode(b.built_in) x WHERE x.grantee = b.owner) AS all_privileges
FROM based b
LEFT JOIN pg_catalog.pg_roles ow ON ow.oid = b.owner
-- A schema public that was made again has no ACL, and PUBLIC no use of it: that differs from its base.
WHERE (b.acl IS NOT NULL OR b.has_init OR b.schema = 'information_schema'
       OR b.keyword = 'SCHEMA' AND b.target = 'public')
  -- Before 15 what is unchanged about public is not what a newer server's public has.
  AND (coalesce(b.acl, b.built_in) IS DISTINCT FROM b.base
       OR b.keyword = 'SCHEMA' AND b.target = 'public' AND current_setting('server_version_num')::integer < 150000)
ORDER BY b.class::oid, b.schema, b.target, b.part <> 0, b.part;
