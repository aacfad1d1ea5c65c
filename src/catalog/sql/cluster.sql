-- What belongs to the whole cluster and is shared by its databases: roles, memberships, settings of roles,
-- tablespaces, replication slots, other databases. No passwords. Per fact a name, what there is, and the
-- statements that make it again, put it back to this, and drop it. A setting's value may be a secret where its name
-- belongs to an application (with a dot in it): then only the name is told.
SELECT 'role ' || quote_ident(r.rolname) AS name,
       a.words AS value,
       'CREATE ROLE ' || quote_ident(r.rolname) || coalesce(' ' || nullif(a.words, 'no rights'), '') AS make,
       'ALTER ROLE ' || quote_ident(r.rolname) || ' ' || a.every AS reset,
       'DROP ROLE ' || quote_ident(r.rolname) AS remove
  FROM pg_catalog.pg_roles r
 CROSS JOIN LATERAL (SELECT coalesce(nullif(concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' END,
                                      CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                                      CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                                      CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                                      CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                                      CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                                      CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
                                      CASE WHEN r.rolconnlimit <> -1 THEN 'CONNECTION LIMIT ' || r.rolconnlimit END,
                                      'VALID UNTIL ' || quote_literal((r.rolvaliduntil AT TIME ZONE 'UTC')::text || '+00')),
                                    ''), 'no rights') AS words,
                            concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
                                      CASE WHEN r.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
                                      CASE WHEN r.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
                                      CASE WHEN r.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
                                      CASE WHEN r.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
                                      CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
                                      CASE WHEN r.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
                                      'CONNECTION LIMIT ' || r.rolconnlimit,
                                      'VALID UNTIL ' || coalesce(quote_literal((r.rolvaliduntil AT TIME ZONE 'UTC')::text || '+00'),
                                                                 quote_literal('infinity'))) AS every) a
 WHERE r.rolname !~ '^pg_'
UNION ALL
SELECT 'membership of ' || quote_ident(member.rolname) || ' in ' || quote_ident(granted.rolname),
       m.words,
       'GRANT ' || quote_ident(granted.rolname) || ' TO ' || quote_ident(member.rolname)
         || CASE WHEN m.admin THEN ' WITH ADMIN OPTION' ELSE '' END,
       NULL,
       'REVOKE ' || quote_ident(granted.rolname) || ' FROM ' || quote_ident(member.rolname)
  FROM (SELECT m.member, m.roleid, bool_or(m.admin_option) AS admin,
               string_agg(concat_ws(', ', CASE WHEN m.admin_option THEN 'with admin option' ELSE 'plain' END,
                                    CASE WHEN to_jsonb(m) ->> 'inherit_option' = 'false' THEN 'not inherited' END,
                                    CASE WHEN to_jsonb(m) ->> 'set_option' = 'false' THEN 'no SET ROLE' END,
                                    'by ' || quote_ident(grantor.rolname)),
                          '; ' ORDER BY grantor.rolname) AS words
          FROM pg_catalog.pg_auth_members m
          LEFT JOIN pg_catalog.pg_roles grantor ON grantor.oid = m.grantor
         GROUP BY m.member, m.roleid) m
  JOIN pg_catalog.pg_roles member ON member.oid = m.member
  JOIN pg_catalog.pg_roles granted ON granted.oid = m.roleid
UNION ALL
SELECT 'setting ' || s.name || ' of role ' || quote_ident(r.rolname),
       CASE WHEN s.name ~ '[.]' THEN 'a value that is not recorded' ELSE s.value END,
       NULL,
       NULL,
       'ALTER ROLE ' || quote_ident(r.rolname) || ' RESET ' || s.name
  FROM pg_catalog.pg_roles r
 CROSS JOIN unnest(r.rolconfig) line
 CROSS JOIN LATERAL (SELECT split_part(line, '=', 1) AS name, substr(line, strpos(line, '=') + 1) AS value) s
UNION ALL
SELECT 'tablespace ' || quote_ident(t.spcname),
       concat_ws(', ', 'owner ' || quote_ident(owner.rolname), 'at ' || pg_tablespace_location(t.oid),
                 'options ' || t.spcoptions::text, 'grants ' || t.spcacl::text),
       NULL,
       NULL,
       'DROP TABLESPACE ' || quote_ident(t.spcname)
  FROM pg_catalog.pg_tablespace t
  LEFT JOIN pg_catalog.pg_roles owner ON owner.oid = t.spcowner
 WHERE t.spcname !~ '^pg_'
UNION ALL
SELECT 'replication slot ' || quote_ident(s.slot_name),
       concat_ws(', ', s.slot_type, s.plugin, 'of database ' || quote_ident(s.database)),
       NULL,
       NULL,
       'SELECT pg_drop_replication_slot(' || quote_literal(s.slot_name) || ')'
  FROM pg_catalog.pg_replication_slots s
 WHERE NOT s.temporary
UNION ALL
SELECT 'database ' || quote_ident(d.datname),
       'owner ' || coalesce(quote_ident(owner.rolname), 'unknown'),
       NULL,
       NULL,
       'DROP DATABASE ' || quote_ident(d.datname)
  FROM pg_catalog.pg_database d
  LEFT JOIN pg_catalog.pg_roles owner ON owner.oid = d.datdba
 WHERE d.datname <> current_database()
 LIMIT 20001;
