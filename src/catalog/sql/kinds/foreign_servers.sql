-- Foreign servers.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT s.oid, NULL AS schema, s.srvname AS name,
       format('SERVER %I', s.srvname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE SERVER %I%s%s FOREIGN DATA WRAPPER %I%s;', s.srvname,
              CASE WHEN s.srvtype IS NOT NULL THEN format(' TYPE %L', s.srvtype) ELSE '' END,
              CASE WHEN s.srvversion IS NOT NULL THEN format(' VERSION %L', s.srvversion) ELSE '' END,
              f.fdwname,
              coalesce((SELECT format(' OPTIONS (%s)', string_agg(format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name))
                          FROM pg_options_to_table(s.srvoptions) o HAVING count(*) > 0), '')) AS create_text
FROM pg_catalog.pg_foreign_server s
JOIN pg_catalog.pg_foreign_data_wrapper f ON f.oid = s.srvfdw
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.srvowner
ORDER BY s.srvname;
