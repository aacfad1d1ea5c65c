-- For the transaction of a reading only: no view and no foreign table of the user may be read,
-- whatever a name turns out to stand for (CVE-2024-7348). Servers that lack the setting skip it.
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', 'view, foreign-table', true)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = 'restrict_nonsystem_relation_kind');
