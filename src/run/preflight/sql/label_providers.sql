-- Providers that have set security labels in this database.
SELECT DISTINCT quote_ident(l.provider) AS quoted_provider
FROM pg_catalog.pg_seclabel l
ORDER BY 1;
