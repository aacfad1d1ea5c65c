-- Functions, types, sequences and the rare kinds: one property at a time, or one object less.
WITH mine AS (
    SELECT oid AS namespace FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), functions AS (
    SELECT p.*, p.oid::regprocedure AS shown FROM pg_proc p WHERE pronamespace IN (SELECT namespace FROM mine)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('i', 'e'))
), types AS (
    SELECT t.*, t.oid::regtype AS shown FROM pg_type t WHERE typnamespace IN (SELECT namespace FROM mine)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
), changes(what, change) AS (
    SELECT format('cost of %s', shown), format('UPDATE pg_catalog.pg_proc SET procost = procost + 1 WHERE oid = %s', oid) FROM functions WHERE prokind = 'f'
    UNION ALL SELECT format('volatility of %s', shown), format('UPDATE pg_catalog.pg_proc SET provolatile = %L WHERE oid = %s', CASE provolatile WHEN 's' THEN 'v' ELSE 's' END, oid) FROM functions WHERE prokind = 'f'
    UNION ALL SELECT format('strictness of %s', shown), format('UPDATE pg_catalog.pg_proc SET proisstrict = NOT proisstrict WHERE oid = %s', oid) FROM functions WHERE prokind = 'f'
    UNION ALL SELECT format('security of %s', shown), format('UPDATE pg_catalog.pg_proc SET prosecdef = NOT prosecdef WHERE oid = %s', oid) FROM functions WHERE prokind IN ('f', 'p')
    UNION ALL SELECT format('leakproofness of %s', shown), format('UPDATE pg_catalog.pg_proc SET proleakproof = NOT proleakproof WHERE oid = %s', oid) FROM functions WHERE prokind = 'f'
    UNION ALL SELECT format('parallel safety of %s', shown), format('UPDATE pg_catalog.pg_proc SET proparallel = %L WHERE oid = %s', CASE proparallel WHEN 'r' THEN 's' ELSE 'r' END, oid) FROM functions WHERE prokind IN ('f', 'a')
    UNION ALL SELECT format('body of %s', shown), format('UPDATE pg_catalog.pg_proc SET prosrc = prosrc || '' '' WHERE oid = %s', oid) FROM functions
              WHERE prokind IN ('f', 'p') AND to_jsonb(functions) ->> 'prosqlbody' IS NULL AND probin IS NULL
    UNION ALL SELECT format('settings of %s', shown), format('UPDATE pg_catalog.pg_proc SET proconfig = coalesce(proconfig, ''{}''::text[]) || ''work_mem=7MB''::text WHERE oid = %s', oid) FROM functions WHERE prokind IN ('f', 'p')
    UNION ALL SELECT format('dropped: %s', shown), format('DROP ROUTINE %s CASCADE', shown) FROM functions WHERE prokind <> 'a'
    UNION ALL SELECT format('initial value of %s', aggfnoid), format('UPDATE pg_catalog.pg_aggregate SET agginitval = coalesce(agginitval, '''') || ''1'' WHERE aggfnoid = %s', aggfnoid::oid)
              FROM pg_aggregate JOIN functions ON oid = aggfnoid::oid
    UNION ALL SELECT format('extra arguments of %s', aggfnoid), format('UPDATE pg_catalog.pg_aggregate SET aggfinalextra = NOT aggfinalextra WHERE aggfnoid = %s', aggfnoid::oid)
              FROM pg_aggregate JOIN functions ON oid = aggfnoid::oid WHERE aggfinalfn <> 0
    UNION ALL SELECT format('label more in %s', shown), format('ALTER TYPE %s ADD VALUE ''one more''', shown) FROM types WHERE typtype = 'e'
    UNION ALL SELECT format('label %s of %s', enumlabel, shown), format('UPDATE pg_catalog.pg_enum SET enumlabel = ''renamed'' WHERE oid = %s', e.oid) FROM types t JOIN pg_enum e ON enumtypid = t.oid
    UNION ALL SELECT format('order of the labels of %s', shown), format('UPDATE pg_catalog.pg_enum SET enumsortorder = -enumsortorder WHERE enumtypid = %s', t.oid) FROM types t
              WHERE typtype = 'e' AND (SELECT count(*) FROM pg_enum WHERE enumtypid = t.oid) > 1
    UNION ALL SELECT format('default of domain %s', shown), CASE WHEN typdefault IS NULL THEN format('ALTER DOMAIN %s SET DEFAULT ''7''', shown) ELSE format('ALTER DOMAIN %s DROP DEFAULT', shown) END FROM types WHERE typtype = 'd'
    UNION ALL SELECT format('nullability of domain %s', shown), format('ALTER DOMAIN %s %s NOT NULL', shown, CASE WHEN typnotnull THEN 'DROP' ELSE 'SET' END) FROM types WHERE typtype = 'd'
    UNION ALL SELECT format('constraint %s of domain %s dropped', conname, shown), format('ALTER DOMAIN %s DROP CONSTRAINT %I', shown, conname) FROM types t JOIN pg_constraint ON contypid = t.oid WHERE contype = 'c'
    UNION ALL SELECT format('validity of constraint %s of domain %s', conname, shown), format('UPDATE pg_catalog.pg_constraint SET convalidated = NOT convalidated WHERE oid = %s', k.oid) FROM types t JOIN pg_constraint k ON contypid = t.oid WHERE contype = 'c'
    UNION ALL SELECT format('name of %s', shown), format('ALTER %s %s RENAME TO "renamed %s"', CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, shown, t.oid)
              FROM types t LEFT JOIN pg_class c ON c.oid = typrelid WHERE typtype IN ('d', 'e', 'r') OR c.relkind = 'c' OR (typtype = 'b' AND typcategory <> 'A')
    UNION ALL SELECT format('attribute %s of %s', attname, shown), format('ALTER TYPE %s RENAME ATTRIBUTE %I TO renamed CASCADE', shown, attname)
              FROM types t JOIN pg_class c ON c.oid = typrelid AND c.relkind = 'c' JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT format('category of %s', shown), format('UPDATE pg_catalog.pg_type SET typcategory = ''Z'' WHERE oid = %s', t.oid) FROM types t WHERE typtype = 'b' AND typcategory <> 'A'
    UNION ALL SELECT format('increment of sequence %s', seqrelid::regclass), format('UPDATE pg_catalog.pg_sequence SET seqincrement = seqincrement * 2 WHERE seqrelid = %s', seqrelid) FROM pg_sequence
    UNION ALL SELECT format('cycle of sequence %s', seqrelid::regclass), format('UPDATE pg_catalog.pg_sequence SET seqcycle = NOT seqcycle WHERE seqrelid = %s', seqrelid) FROM pg_sequence
    UNION ALL SELECT format('cache of sequence %s', seqrelid::regclass), format('UPDATE pg_catalog.pg_sequence SET seqcache = seqcache + 1 WHERE seqrelid = %s', seqrelid) FROM pg_sequence
    UNION ALL SELECT format('bounds of sequence %s', seqrelid::regclass), format('UPDATE pg_catalog.pg_sequence SET seqmax = seqmax - 1 WHERE seqrelid = %s', seqrelid) FROM pg_sequence
    UNION ALL SELECT format('column that owns sequence %s', objid::regclass), format('ALTER SEQUENCE %s OWNED BY NONE', objid::regclass)
              FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype = 'a' AND objid IN (SELECT seqrelid FROM pg_sequence)
    UNION ALL SELECT format('operator %s: hashes', o.oid::regoperator), format('UPDATE pg_catalog.pg_operator SET oprcanhash = NOT oprcanhash WHERE oid = %s', oid) FROM pg_operator o WHERE oprnamespace IN (SELECT namespace FROM mine) AND oprcode <> 0 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e') AND oprkind = 'b'
    UNION ALL SELECT format('operator %s: function of restriction', o.oid::regoperator), format('UPDATE pg_catalog.pg_operator SET oprrest = ''neqsel''::regproc WHERE oid = %s', oid) FROM pg_operator o WHERE oprnamespace IN (SELECT namespace FROM mine) AND oprcode <> 0 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e')
    UNION ALL SELECT format('operator class %s: default', opcname), format('UPDATE pg_catalog.pg_opclass SET opcdefault = NOT opcdefault WHERE oid = %s', oid) FROM pg_opclass o WHERE opcnamespace IN (SELECT namespace FROM mine) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_opclass'::regclass AND d.objid = o.oid AND d.deptype = 'e')
    UNION ALL SELECT format('operator family member %s', pg_describe_object('pg_amproc'::regclass, a.oid, 0)), format('DELETE FROM pg_catalog.pg_amproc WHERE oid = %s', a.oid)
              FROM pg_amproc a JOIN pg_opfamily f ON f.oid = amprocfamily WHERE opfnamespace IN (SELECT namespace FROM mine) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_opfamily'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL SELECT format('operator family member %s', pg_describe_object('pg_amop'::regclass, a.oid, 0)), format('DELETE FROM pg_catalog.pg_amop WHERE oid = %s', a.oid)
              FROM pg_amop a JOIN pg_opfamily f ON f.oid = amopfamily WHERE opfnamespace IN (SELECT namespace FROM mine) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_opfamily'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL SELECT format('context of cast %s', oid), format('UPDATE pg_catalog.pg_cast SET castcontext = %L WHERE oid = %s', CASE castcontext WHEN 'a' THEN 'e' ELSE 'a' END, oid)
              FROM pg_cast c WHERE oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype IN ('i', 'e'))
    UNION ALL SELECT format('conversion %s: default', conname), format('UPDATE pg_catalog.pg_conversion SET condefault = NOT condefault WHERE oid = %s', oid) FROM pg_conversion WHERE connamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT format('options of dictionary %s', dictname), format('UPDATE pg_catalog.pg_ts_dict SET dictinitoption = ''accept = true'' WHERE oid = %s', oid) FROM pg_ts_dict WHERE dictnamespace IN (SELECT namespace FROM mine) AND dictinitoption IS DISTINCT FROM 'accept = true'
    UNION ALL SELECT format('mapping %s of text search configuration %s', maptokentype, cfgname), format('DELETE FROM pg_catalog.pg_ts_config_map WHERE mapcfg = %s AND maptokentype = %s', c.oid, maptokentype)
              FROM pg_ts_config c JOIN pg_ts_config_map ON mapcfg = c.oid WHERE cfgnamespace IN (SELECT namespace FROM mine) GROUP BY c.oid, cfgname, maptokentype
    UNION ALL SELECT format('options of wrapper %s', fdwname), format('UPDATE pg_catalog.pg_foreign_data_wrapper SET fdwoptions = coalesce(fdwoptions, ''{}''::text[]) || ''more=1''::text WHERE oid = %s', oid) FROM pg_foreign_data_wrapper
    UNION ALL SELECT format('options of server %s', srvname), format('UPDATE pg_catalog.pg_foreign_server SET srvoptions = coalesce(srvoptions, ''{}''::text[]) || ''more=1''::text WHERE oid = %s', oid) FROM pg_foreign_server
    UNION ALL SELECT format('version of server %s', srvname), format('UPDATE pg_catalog.pg_foreign_server SET srvversion = coalesce(srvversion, '''') || ''1'' WHERE oid = %s', oid) FROM pg_foreign_server
    UNION ALL SELECT format('options of user mapping %s', oid), format('UPDATE pg_catalog.pg_user_mapping SET umoptions = coalesce(umoptions, ''{}''::text[]) || ''more=1''::text WHERE oid = %s', oid) FROM pg_user_mapping
    UNION ALL SELECT format('options of foreign table %s', ftrelid::regclass), format('UPDATE pg_catalog.pg_foreign_table SET ftoptions = coalesce(ftoptions, ''{}''::text[]) || ''more=1''::text WHERE ftrelid = %s', ftrelid) FROM pg_foreign_table
    UNION ALL SELECT format('state of event trigger %s', evtname), format('UPDATE pg_catalog.pg_event_trigger SET evtenabled = %L WHERE oid = %s', state, e.oid) FROM pg_event_trigger e CROSS JOIN unnest('{O,D,R,A}'::"char"[]) AS state WHERE state <> evtenabled
    UNION ALL SELECT format('tags of event trigger %s', evtname), format('UPDATE pg_catalog.pg_event_trigger SET evttags = ''{CREATE SCHEMA}'' WHERE oid = %s', oid) FROM pg_event_trigger
    UNION ALL SELECT format('publication %s: deletes', pubname), format('UPDATE pg_catalog.pg_publication SET pubdelete = NOT pubdelete WHERE oid = %s', oid) FROM pg_publication
    UNION ALL SELECT format('publication %s: via root', pubname), format('UPDATE pg_catalog.pg_publication SET pubviaroot = NOT pubviaroot WHERE oid = %s', oid) FROM pg_publication
    UNION ALL SELECT format('%s of publication removed', pg_describe_object('pg_publication_rel'::regclass, r.oid, 0)), format('DELETE FROM pg_catalog.pg_publication_rel WHERE oid = %s', r.oid) FROM pg_publication_rel r
    UNION ALL SELECT format('trust in language %s', lanname), format('UPDATE pg_catalog.pg_language SET lanpltrusted = NOT lanpltrusted WHERE oid = %s', oid) FROM pg_language WHERE oid >= 16384
    UNION ALL SELECT format('determinism of collation %s', collname), format('UPDATE pg_catalog.pg_collation SET collisdeterministic = NOT collisdeterministic WHERE oid = %s', oid) FROM pg_collation WHERE collnamespace IN (SELECT namespace FROM mine) AND collprovider = 'i'
    UNION ALL SELECT format('range %s: difference function', rngtypid::regtype), format('UPDATE pg_catalog.pg_range SET rngsubdiff = %s WHERE rngtypid = %s', CASE WHEN rngsubdiff = 0 THEN 'int4range_subdiff'::regproc::oid ELSE 0 END, rngtypid) FROM pg_range JOIN types t ON t.oid = rngtypid
    UNION ALL SELECT format('large object %s: a byte', loid), format('UPDATE pg_catalog.pg_largeobject SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 1) WHERE loid = %s AND pageno = %s', loid, max(pageno)) FROM pg_largeobject GROUP BY loid
    UNION ALL SELECT format('large object %s: a byte more', loid), format('SELECT lo_put(%s, %s, ''\x00'')', loid, sum(length(data))) FROM pg_largeobject GROUP BY loid
    UNION ALL SELECT format('large object %s dropped', oid), format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata
    UNION ALL SELECT format('extension %s dropped', extname), format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension
    UNION ALL SELECT format('version of extension %s', extname), format('UPDATE pg_catalog.pg_extension SET extversion = extversion || ''.9'' WHERE oid = %s', oid) FROM pg_extension WHERE oid >= 16384
)
SELECT what, change FROM changes ORDER BY 1, 2;
