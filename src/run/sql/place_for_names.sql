-- The schema that a new object without a schema of its own goes to, with the search_path that sessions of this role begin
-- with: our own is empty. As the server does, what is not there or may not be used is passed over.
SELECT n.nspname AS schema
  FROM pg_catalog.pg_settings s,
       LATERAL (SELECT place, CASE WHEN pg_catalog.btrim(one, E' \t\n\r') LIKE '"%'
                              THEN pg_catalog.replace(pg_catalog.btrim(pg_catalog.btrim(one, E' \t\n\r'), '"'), '""', '"')
                              ELSE pg_catalog.lower(pg_catalog.btrim(one, E' \t\n\r')) END AS named
                  FROM pg_catalog.unnest(pg_catalog.string_to_array(s.reset_val, ',')) WITH ORDINALITY split (one, place)) parts
  JOIN pg_catalog.pg_namespace n
    ON n.nspname = CASE WHEN parts.named = '$user' THEN current_user::text ELSE parts.named END
 WHERE s.name = 'search_path' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
 ORDER BY parts.place
 LIMIT 1;
