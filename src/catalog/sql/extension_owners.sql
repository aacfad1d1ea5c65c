-- Extensions that belong to another role than this session's: CREATE EXTENSION gives them to whoever
-- runs it, and no command changes that later.
SELECT pg_get_userbyid(e.extowner) AS owner, string_agg(e.extname, ', ' ORDER BY e.extname) AS extensions
FROM pg_catalog.pg_extension e
WHERE e.oid >= 16384 AND pg_get_userbyid(e.extowner) <> current_user
GROUP BY 1 ORDER BY 1;
