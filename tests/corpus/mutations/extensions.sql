-- Single changes of tests/corpus/extensions.sql; `diff` must report each.
-- change: a schema is renamed below an extension
ALTER SCHEMA tools RENAME TO other_tools;
-- change: an extension in another schema
DO $$ DECLARE e text := (SELECT extname FROM pg_extension WHERE extname IN ('citext', 'vector')); BEGIN EXECUTE format('CREATE SCHEMA moved; ALTER EXTENSION %I SET SCHEMA moved', e); END $$;
-- change: a row of a type of an extension
DO $$ BEGIN IF to_regclass('public.mails') IS NOT NULL THEN UPDATE public.mails SET body = 'x'; ELSE UPDATE public.embedded SET id = 2; END IF; END $$;
-- change: the index with an extension's operator class
DO $$ BEGIN IF to_regclass('public.mails') IS NOT NULL THEN DROP INDEX public.by_similarity; ELSE DROP INDEX public.by_distance; END IF; END $$;
-- change: an extension more
DO $$ DECLARE e text := (SELECT name FROM pg_available_extensions WHERE installed_version IS NULL AND name NOT LIKE '%pl%' AND name IN ('hstore', 'pgcrypto', 'btree_gin', 'vectorscale', 'pg_stat_statements') LIMIT 1); BEGIN IF e IS NULL THEN CREATE SCHEMA instead; ELSE EXECUTE format('CREATE EXTENSION %I SCHEMA public', e); END IF; END $$;
