-- Roles whose objects the connected role could make again: itself and those it may become.
SELECT r.rolname AS name, me.rolsuper AS is_superuser
FROM pg_catalog.pg_roles r
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
WHERE pg_has_role(r.oid, 'USAGE')
  AND CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(r.oid, 'SET') ELSE true END;
