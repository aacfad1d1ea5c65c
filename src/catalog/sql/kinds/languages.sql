-- Procedural languages that the user made.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT l.oid, NULL AS schema, l.lanname AS name,
       format('LANGUAGE %I', l.lanname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE %sLANGUAGE %I%s%s%s;', CASE WHEN l.lanpltrusted THEN 'TRUSTED ' ELSE '' END, l.lanname,
              format(' HANDLER %s', l.lanplcallfoid::regproc),
              CASE WHEN l.laninline <> 0 THEN format(' INLINE %s', l.laninline::regproc) ELSE '' END,
              CASE WHEN l.lanvalidator <> 0 THEN format(' VALIDATOR %s', l.lanvalidator::regproc) ELSE '' END) AS create_text
FROM pg_catalog.pg_language l
LEFT JOIN pg_catalog.pg_roles r ON r.oid = l.lanowner
WHERE l.oid >= 16384 AND l.lanispl
ORDER BY l.lanname;
