-- The database itself (spec section 4). A role's name with : = or " in it stands in quotes. Columns that differ between majors are looked up through jsonb.
SELECT d.datname AS name,
       d.oid,
       current_setting('server_encoding') AS encoding,
       r.rolname AS owner,
       d.datcollate AS collate,
       d.datctype AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       to_jsonb(d) ->> 'daticurules' AS icu_rules,
       to_jsonb(d) ->> 'datcollversion' AS collation_version,
       d.datconnlimit AS connection_limit,
       d.datistemplate AS is_template,
       d.datallowconn AS allow_connections,
       ts.spcname AS tablespace,
       d.datacl::text AS acl,
       shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT to_json(array_agg(role.shown || ': ' || setting ORDER BY role.shown, setting))
          FROM pg_catalog.pg_db_role_setting s
          LEFT JOIN pg_catalog.pg_roles sr ON sr.oid = s.setrole
         CROSS JOIN LATERAL (SELECT CASE WHEN s.setrole = 0 THEN ''
                                         WHEN sr.rolname ~ '[:="]' THEN '"' || replace(sr.rolname, '"', '""') || '"'
                                         ELSE coalesce(sr.rolname, s.setrole::text) END) role (shown)
         CROSS JOIN unnest(s.setconfig) setting
         WHERE s.setdatabase = d.oid) AS settings,
       (SELECT to_json(array_agg(l.provider || ': ' || l.label ORDER BY l.provider))
          FROM pg_catalog.pg_shseclabel l
         WHERE l.classoid = 'pg_catalog.pg_database'::regclass AND l.objoid = d.oid) AS security_labels
FROM pg_catalog.pg_database d
LEFT JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = d.dattablespace
WHERE d.datname = current_database();
