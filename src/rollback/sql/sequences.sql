-- Every sequence whose next value somebody may take. `held` says whether this role may keep others from taking one, which
-- needs an owner's ALTER SEQUENCE; a value that this role may not read is not known.
SELECT namespace.nspname AS schema,
       class.relname AS name,
       sequence.seqcache AS cache,
       pg_catalog.pg_has_role(class.relowner, 'USAGE') AS held,
       class.oid::pg_catalog.int8 AS oid,
       CASE WHEN pg_catalog.has_sequence_privilege(class.oid, 'SELECT, USAGE')
            THEN pg_catalog.pg_sequence_last_value(class.oid) END AS last
  FROM pg_catalog.pg_sequence AS sequence
  JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relpersistence <> 't'
 ORDER BY class.oid;
