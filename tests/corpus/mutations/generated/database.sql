-- Properties of the database itself, those that a transaction may change.
SELECT what, change FROM (VALUES
    ('a setting of the database', format('ALTER DATABASE %I SET work_mem = ''9MB''', current_database())),
    ('a setting of a role in the database', format('ALTER ROLE reader IN DATABASE %I SET work_mem = ''9MB''', current_database())),
    ('connection limit', format('ALTER DATABASE %I CONNECTION LIMIT 77', current_database())),
    ('owner of the database', format('ALTER DATABASE %I OWNER TO reader', current_database())),
    ('rights on the database', format('GRANT CREATE ON DATABASE %I TO pg_monitor', current_database())),
    ('comment on the database', format('COMMENT ON DATABASE %I IS ''other''', current_database()))
) AS changes(what, change)
ORDER BY 1;
