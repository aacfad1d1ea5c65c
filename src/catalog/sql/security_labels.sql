-- Security labels: not covered yet, so each is refused by name.
SELECT l.objtype || ' ' || l.objname AS description, l.provider
FROM pg_catalog.pg_seclabels l
WHERE l.objtype NOT IN ('database', 'role', 'tablespace')
ORDER BY 1, 2;
