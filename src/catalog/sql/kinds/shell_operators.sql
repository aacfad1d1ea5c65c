-- Operators without a function: what a COMMUTATOR or NEGATOR clause named and nobody has made. No
-- statement makes a shell by itself, so a helper names it as its negator and goes again, which
-- leaves the shell without any link, in every major. The helper's function is internal where an
-- argument is a pseudo-type, which no SQL function takes.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT o.oid, n.nspname AS schema, o.oprname AS name,
       format('OPERATOR %I.%s (%s, %s)', n.nspname, o.oprname, coalesce(o.left_type, 'NONE'), o.right_type) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       to_json(ARRAY[o.oprkind::text, coalesce(o.left_type, '-'), o.right_type]) AS tie,
       concat_ws(E'\n',
           format('CREATE FUNCTION %I.pgbelay_shell(%s) RETURNS boolean LANGUAGE %s;', n.nspname, o.arguments,
                  CASE WHEN o.takes_pseudo_type THEN 'internal AS ''int4eq''' ELSE 'sql AS ''SELECT true''' END),
           format('CREATE OPERATOR %I.~~~~~~~~~~~~~~~~!~ (%s);', n.nspname,
                  concat_ws(', ', 'FUNCTION = ' || format('%I.pgbelay_shell', n.nspname), 'LEFTARG = ' || o.left_type,
                            'RIGHTARG = ' || o.right_type, format('NEGATOR = OPERATOR(%I.%s)', n.nspname, o.oprname))),
           format('DROP OPERATOR %I.~~~~~~~~~~~~~~~~!~ (%s, %s);', n.nspname, coalesce(o.left_type, 'NONE'), o.right_type),
           format('DROP FUNCTION %I.pgbelay_shell(%s);', n.nspname, o.arguments)) AS create_text
FROM (SELECT x.*,
             CASE WHEN x.oprleft <> 0 THEN format_type(x.oprleft, NULL) END AS left_type,
             format_type(x.oprright, NULL) AS right_type,
             concat_ws(', ', CASE WHEN x.oprleft <> 0 THEN format_type(x.oprleft, NULL) END, format_type(x.oprright, NULL)) AS arguments,
             EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid IN (x.oprleft, x.oprright) AND t.typtype = 'p') AS takes_pseudo_type
        FROM pg_catalog.pg_operator x
       WHERE x.oprcode = 0) o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.oprowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, o.oprname;
