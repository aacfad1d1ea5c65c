-- What the connected role may do here, as one row; lists of names are raw.
--   acts_as       roles whose objects it can make, change and drop: their rights come with the
--                 membership, and (16+) it may SET ROLE to them
--   becomes       roles that it may SET ROLE to
--   schemas       [schema, owner]
--   creators      [schema, role]: acts_as and itself, where that role may create in the schema
--   databases     of acts_as, those that may create in the database
--   parameters    settings that it was allowed to change (15+)
--   rows          [table]: configuration tables of extensions that it may fill, quoted
--   languages, tablespaces, wrappers   that it may use, and make things in; wrappers with the role
WITH me AS (SELECT oid, rolname, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
version AS (SELECT current_setting('server_version_num')::int AS number),
roles AS (
    SELECT r.oid, r.rolname, pg_has_role(r.oid, 'USAGE') AS inherits,
           CASE WHEN version.number >= 160000 THEN pg_has_role(r.oid, 'SET') ELSE pg_has_role(r.oid, 'MEMBER') END AS settable
    FROM pg_catalog.pg_roles r, version)
SELECT me.rolname AS role, me.rolsuper AS superuser,
       pg_catalog.pg_get_userbyid(d.datdba) AS database_owner,
       (SELECT json_agg(r.rolname) FROM roles r WHERE r.inherits AND r.settable) AS acts_as,
       (SELECT json_agg(r.rolname) FROM roles r WHERE r.settable) AS becomes,
       (SELECT json_agg(json_build_array(n.nspname, pg_get_userbyid(n.nspowner)))
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS schemas,
       (SELECT json_agg(json_build_array(n.nspname, r.rolname))
          FROM pg_catalog.pg_namespace n, roles r
         WHERE r.inherits AND r.settable AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND has_schema_privilege(r.oid, n.oid, 'CREATE')) AS creators,
       (SELECT json_agg(r.rolname) FROM roles r
         WHERE r.inherits AND r.settable AND has_database_privilege(r.oid, d.oid, 'CREATE')) AS databases,
       (SELECT json_agg(l.lanname) FROM pg_catalog.pg_language l
         WHERE l.lanpltrusted AND has_language_privilege(l.oid, 'USAGE')) AS languages,
       (SELECT json_agg(s.spcname) FROM pg_catalog.pg_tablespace s
         WHERE s.oid = d.dattablespace OR has_tablespace_privilege(s.oid, 'CREATE')) AS tablespaces,
       (SELECT json_agg(json_build_array(w.fdwname, r.rolname))
          FROM pg_catalog.pg_foreign_data_wrapper w, roles r
         WHERE r.inherits AND r.settable AND has_foreign_data_wrapper_privilege(r.oid, w.oid, 'USAGE')) AS wrappers,
       (SELECT json_agg(format('%I.%I', n.nspname, c.relname))
          FROM pg_catalog.pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) x(relation)
          JOIN pg_catalog.pg_class c ON c.oid = x.relation
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'UPDATE')
                    ELSE has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'DELETE') END) AS rows
FROM me, pg_catalog.pg_database d
WHERE d.datname = current_database();
