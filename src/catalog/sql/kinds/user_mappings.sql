-- User mappings, from the view that everybody may read. It hides options from those who may not
-- see them, without a word: such a mapping is a problem, not an empty list (spec section 5.1).
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT m.umid AS oid, NULL AS schema, format('%s %s', m.usename, m.srvname) AS name,
       format('USER MAPPING FOR %s SERVER %I', CASE WHEN m.umuser = 0 THEN 'public' ELSE quote_ident(m.usename) END, m.srvname) AS target,
       format('CREATE USER MAPPING FOR %s SERVER %I%s;', CASE WHEN m.umuser = 0 THEN 'public' ELSE quote_ident(m.usename) END, m.srvname,
              coalesce((SELECT format(' OPTIONS (%s)', string_agg(format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name))
                          FROM pg_options_to_table(m.umoptions) o HAVING count(*) > 0), '')) AS create_text,
       CASE WHEN m.umoptions IS NULL AND NOT (me.rolsuper OR pg_has_role(s.srvowner, 'USAGE')
                 OR (m.umuser = me.oid AND has_server_privilege(m.srvid, 'USAGE')))
            THEN 'this role may not see its options, which may hold a password' END AS problem,
       to_json(ARRAY[format('1417:%s', m.srvid)]) AS needs
FROM pg_catalog.pg_user_mappings m
JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
ORDER BY m.srvname, m.usename;
