-- The database itself (spec section 4). Columns that differ between majors are looked up through jsonb.
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
       ts.spcname AS tablespace,
       d.datacl::text AS acl,
       shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT to_json(array_agg(coalesce(sr.rolname, '') || ': ' || setting ORDER BY sr.rolname NULLS FIRST, setting))
          FROM pg_catalog.pg_db_role_setting s
          LEFT JOIN pg_catalog.pg_roles sr ON sr.oid = s.setrole
          CROSS JOIN unnest(s.setconfig) setting
         WHERE s.setdatabase = d.oid) AS settings
FROM pg_catalog.pg_database d
LEFT JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = d.dattablespace
WHERE d.datname = current_database();
