-- Where an unqualified alembic_version is found, else where it would be made.
SELECT coalesce(
         (SELECT n.nspname
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.oid = pg_catalog.to_regclass('alembic_version')),
         pg_catalog.current_schema()) AS schema;
