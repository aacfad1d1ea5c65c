-- Text search configurations with one mapping per token type.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT c.oid, n.nspname AS schema, c.cfgname AS name,
       format('TEXT SEARCH CONFIGURATION %I.%I', n.nspname, c.cfgname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I);', n.nspname, c.cfgname, pn.nspname, p.prsname)
         || coalesce((SELECT string_agg(format(E'\nALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %I WITH %s;',
                                               n.nspname, c.cfgname, m.alias, m.dictionaries), '' ORDER BY m.maptokentype)
                        FROM (SELECT x.maptokentype,
                                     (SELECT k.alias FROM ts_token_type(c.cfgparser) k WHERE k.tokid = x.maptokentype) AS alias,
                                     string_agg(x.mapdict::regdictionary::text, ', ' ORDER BY x.mapseqno) AS dictionaries
                                FROM pg_catalog.pg_ts_config_map x WHERE x.mapcfg = c.oid GROUP BY x.maptokentype) m), '') AS create_text
FROM pg_catalog.pg_ts_config c
JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace
JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.prsnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.cfgowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.cfgname;
