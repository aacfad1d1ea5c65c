-- Foreign data wrappers.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT f.oid, NULL AS schema, f.fdwname AS name,
       format('FOREIGN DATA WRAPPER %I', f.fdwname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE FOREIGN DATA WRAPPER %I%s%s%s;', f.fdwname,
              CASE WHEN f.fdwhandler <> 0 THEN format(' HANDLER %s', f.fdwhandler::regproc) ELSE '' END,
              CASE WHEN f.fdwvalidator <> 0 THEN format(' VALIDATOR %s', f.fdwvalidator::regproc) ELSE '' END,
              coalesce((SELECT format(' OPTIONS (%s)', string_agg(format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name))
                          FROM pg_options_to_table(f.fdwoptions) o HAVING count(*) > 0), '')) AS create_text
FROM pg_catalog.pg_foreign_data_wrapper f
LEFT JOIN pg_catalog.pg_roles r ON r.oid = f.fdwowner
ORDER BY f.fdwname;
