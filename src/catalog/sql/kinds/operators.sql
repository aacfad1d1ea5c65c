-- Operators. A shell that COMMUTATOR or NEGATOR names is an entry of its own: shell_operators.sql.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT o.oid, n.nspname AS schema, o.oprname AS name,
       format('OPERATOR %I.%s (%s, %s)', n.nspname, o.oprname,
              CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END,
              CASE WHEN o.oprright = 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       to_json(ARRAY[o.oprkind::text, format_type(o.oprleft, NULL), format_type(o.oprright, NULL)]) AS tie,
       format('CREATE OPERATOR %I.%s (%s);', n.nspname, o.oprname,
              concat_ws(', ',
                  format('FUNCTION = %s', o.oprcode),
                  CASE WHEN o.oprleft <> 0 THEN format('LEFTARG = %s', format_type(o.oprleft, NULL)) END,
                  CASE WHEN o.oprright <> 0 THEN format('RIGHTARG = %s', format_type(o.oprright, NULL)) END,
                  CASE WHEN o.oprcom <> 0 THEN format('COMMUTATOR = OPERATOR(%I.%s)', cn.nspname, c.oprname) END,
                  CASE WHEN o.oprnegate <> 0 THEN format('NEGATOR = OPERATOR(%I.%s)', gn.nspname, g.oprname) END,
                  CASE WHEN o.oprcanmerge THEN 'MERGES' END,
                  CASE WHEN o.oprcanhash THEN 'HASHES' END,
                  CASE WHEN o.oprrest <> 0 THEN format('RESTRICT = %s', o.oprrest) END,
                  CASE WHEN o.oprjoin <> 0 THEN format('JOIN = %s', o.oprjoin) END)) AS create_text,
       to_json(ARRAY(SELECT format('2617:%s', s.oid) FROM pg_catalog.pg_operator s
                      WHERE s.oprcode = 0 AND s.oid IN (o.oprcom, o.oprnegate))) AS needs
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.oprowner
LEFT JOIN pg_catalog.pg_operator c ON c.oid = o.oprcom
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.oprnamespace
LEFT JOIN pg_catalog.pg_operator g ON g.oid = o.oprnegate
LEFT JOIN pg_catalog.pg_namespace gn ON gn.oid = g.oprnamespace
WHERE o.oprcode <> 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, o.oprname;
