-- Text search parsers.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT p.oid, n.nspname AS schema, p.prsname AS name,
       format('TEXT SEARCH PARSER %I.%I', n.nspname, p.prsname) AS target,
       format('CREATE TEXT SEARCH PARSER %I.%I (START = %s, GETTOKEN = %s, END = %s, %sLEXTYPES = %s);', n.nspname, p.prsname,
              p.prsstart, p.prstoken, p.prsend, CASE WHEN p.prsheadline <> 0 THEN format('HEADLINE = %s, ', p.prsheadline) ELSE '' END,
              p.prslextype) AS create_text
FROM pg_catalog.pg_ts_parser p
JOIN pg_catalog.pg_namespace n ON n.oid = p.prsnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, p.prsname;
