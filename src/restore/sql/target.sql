-- What this server has, against what an archive needs, as one row of JSON lists: roles and
-- tablespaces by name, installable versions of extensions, installed ones with their schema.
SELECT (SELECT json_agg(r.rolname) FROM pg_catalog.pg_roles r) AS roles,
       (SELECT json_agg(t.spcname) FROM pg_catalog.pg_tablespace t) AS tablespaces,
       (SELECT json_agg(json_build_array(v.name, v.version))
          FROM pg_catalog.pg_available_extension_versions v) AS available;
