-- What making an object again takes beyond owning it and what it hangs on (spec section 5.2).
--   class, object  the row; what   in the server's words, for rows that no entry stands for
--   right          superuser, role, language, parameter, tablespace, wrapper, database, rows, library
--   name           which role, language, parameter and so on; raw, the table of `rows` quoted
--   why            for people
-- Members of extensions need nothing: the extension makes them.
WITH needed AS (
    -- Types whose input and output are functions of their own, and what needs a shell first.
    SELECT 'pg_catalog.pg_type'::regclass::oid AS class, t.oid AS object, 'superuser' AS right, NULL::text AS name,
           CASE WHEN t.typisdefined THEN 'it is a base type' ELSE 'it is the shell of a base type' END AS why
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE (t.typtype = 'b' OR (t.typtype = 'p' AND NOT t.typisdefined))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, r.rngtypid, 'superuser', NULL, 'it has a canonical function'
    FROM pg_catalog.pg_range r WHERE r.rngtypid >= 16384 AND r.rngcanonical::oid <> 0
  UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'superuser', NULL, x.why
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
    CROSS JOIN LATERAL (VALUES
        (p.prokind <> 'a' AND NOT l.lanpltrusted, format('its language %s is not trusted', l.lanname)),
        (p.proleakproof, 'it is leakproof'),
        (p.prosupport::oid <> 0, 'it has a support function'),
        ('pg_catalog.internal'::regtype IN (a.aggtranstype, a.aggmtranstype), 'its state is of type internal')) x(applies, why)
    WHERE x.applies AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      -- A range's constructors come with the range.
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
  UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'library', p.probin, 'its code is in a library'
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE l.lanname = 'c' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    -- Only where the grant to PUBLIC was touched; otherwise everybody has it.
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'language', l.lanname, format('it is written in %s', l.lanname)
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE l.lanpltrusted AND l.lanacl IS NOT NULL AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    -- Settings that everybody may change need nothing. A library's own count only once it is
    -- loaded, and nobody loads it for a restore.
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'parameter', split_part(x.setting, '=', 1),
           format('it sets %s', split_part(x.setting, '=', 1))
    FROM pg_catalog.pg_proc p CROSS JOIN LATERAL unnest(p.proconfig) x(setting)
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings s
                      WHERE lower(s.name) = lower(split_part(x.setting, '=', 1))
                        AND s.context = 'user' AND s.category <> 'Customized Options')
  UNION ALL
    SELECT 'pg_catalog.pg_operator'::regclass, o.oid, 'superuser', NULL, 'its selectivity estimator is not built in'
    FROM pg_catalog.pg_operator o WHERE o.oprrest::oid >= 16384 OR o.oprjoin::oid >= 16384
  UNION ALL
    SELECT 'pg_catalog.pg_cast'::regclass, c.oid, 'superuser', NULL, 'it is a cast WITHOUT FUNCTION'
    FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND c.castmethod = 'b'
  UNION ALL
    -- The owner of one of the two types may make it: of the one that is the user's.
    SELECT 'pg_catalog.pg_cast'::regclass, c.oid, 'role', x.owner, 'it is a cast of a type of that role'
    FROM pg_catalog.pg_cast c
    CROSS JOIN LATERAL (
        SELECT pg_get_userbyid(t.typowner) AS owner FROM pg_catalog.pg_type t
        WHERE t.oid IN (c.castsource, c.casttarget)
        ORDER BY t.oid < 16384,
                 EXISTS (SELECT FROM pg_catalog.pg_depend e
                         WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e'),
                 t.oid = c.casttarget
        LIMIT 1) x
    WHERE c.oid >= 16384 AND c.castmethod <> 'b'
  UNION ALL
    SELECT 'pg_catalog.pg_transform'::regclass, t.oid, 'role', pg_get_userbyid(x.owner), x.why
    FROM pg_catalog.pg_transform t
    CROSS JOIN LATERAL (
        SELECT y.typowner, 'it transforms a type of that role' FROM pg_catalog.pg_type y WHERE y.oid = t.trftype
        UNION ALL
        SELECT p.proowner, 'it calls a function of that role' FROM pg_catalog.pg_proc p
        WHERE p.oid IN (t.trffromsql::oid, t.trftosql::oid)) x(owner, why)
  UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'tablespace', s.spcname, format('it lies in the tablespace %s', s.spcname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::regclass, s.oid, 'wrapper', w.fdwname, format('its wrapper is %s', w.fdwname)
    FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
  UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, f.ftrelid, 'role',
           CASE o.option_name WHEN 'program' THEN 'pg_execute_server_program' ELSE 'pg_read_server_files' END,
           'it reads a file of the server'
    FROM pg_catalog.pg_foreign_table f
    JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    JOIN pg_catalog.pg_proc h ON h.oid = w.fdwhandler
    CROSS JOIN LATERAL pg_options_to_table(f.ftoptions) o
    WHERE h.proname = 'file_fdw_handler' AND o.option_name IN ('filename', 'program')
  UNION ALL
    SELECT 'pg_catalog.pg_user_mapping'::regclass, m.umid, 'superuser', NULL, format('its option %s is a superuser''s', o.option_name)
    FROM pg_catalog.pg_user_mappings m
    JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    JOIN pg_catalog.pg_proc h ON h.oid = w.fdwhandler
    CROSS JOIN LATERAL pg_options_to_table(m.umoptions) o
    WHERE h.proname = 'postgres_fdw_handler'
      AND o.option_name IN ('password_required', 'sslcert', 'sslkey', 'use_scram_passthrough')
  UNION ALL
    SELECT 'pg_catalog.pg_publication'::regclass, p.oid, 'superuser', NULL, 'it is FOR ALL TABLES'
    FROM pg_catalog.pg_publication p WHERE p.puballtables
  UNION ALL
    SELECT 'pg_catalog.pg_publication'::regclass, p.oid, 'database', pg_get_userbyid(p.pubowner), 'its owner must be allowed to make publications'
    FROM pg_catalog.pg_publication p
  UNION ALL
    -- Rows of configuration tables: CREATE EXTENSION makes the table, for another role perhaps.
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'rows', format('%I.%I', n.nspname, c.relname), 'its rows belong to the backup'
    FROM pg_catalog.pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) x(relation)
    JOIN pg_catalog.pg_class c ON c.oid = x.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE e.oid >= 16384
)
SELECT r.class, r.object, pg_describe_object(r.class, r.object, 0) AS what, r.right, r.name, r.why
FROM needed r
WHERE r.right = 'rows'
   OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = r.class AND e.objid = r.object AND e.deptype = 'e')
ORDER BY r.class, r.object, r.right, r.name, r.why;
