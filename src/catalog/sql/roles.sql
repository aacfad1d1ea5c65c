-- Roles that objects of this database name: owners, grantees, policies, default privileges
-- (pg_shdepend), and roles with settings in this database. Built-in roles are everywhere.
SELECT r.rolname AS name
FROM pg_catalog.pg_roles r
WHERE r.oid >= 16384
  AND (r.oid IN (SELECT s.refobjid FROM pg_catalog.pg_shdepend s
                 WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass
                   AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
    OR r.oid IN (SELECT s.setrole FROM pg_catalog.pg_db_role_setting s
                 WHERE s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())))
ORDER BY r.rolname;
