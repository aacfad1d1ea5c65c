-- Extensions that the connected role could install here, with the version: those that need no
-- superuser, and trusted ones where it may create in the database.
SELECT v.name, v.version
FROM pg_catalog.pg_available_extension_versions v
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
WHERE me.rolsuper
   OR (has_database_privilege(current_database(), 'CREATE') AND (v.trusted OR NOT v.superuser));
