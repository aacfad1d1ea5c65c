-- Fragment: only from 18 on; older servers lack pg_get_sequence_data.
-- Values of all sequences; null where the role may not read one.
SELECT s.seqrelid AS oid, d.last_value, d.is_called
  FROM pg_catalog.pg_sequence s
 CROSS JOIN LATERAL pg_catalog.pg_get_sequence_data(s.seqrelid) d;
