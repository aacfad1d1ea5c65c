-- Per table the columns of a unique key that no row lacks: of the primary key, else of the narrowest one.
SELECT DISTINCT ON (index.indrelid) index.indrelid AS oid, key.columns
  FROM pg_catalog.pg_index AS index
 CROSS JOIN LATERAL (SELECT pg_catalog.json_agg(attribute.attname ORDER BY attribute.attnum) AS columns,
                            pg_catalog.bool_and(attribute.attnotnull) AS always
                       FROM pg_catalog.unnest(index.indkey) WITH ORDINALITY AS one (number, place)
                       JOIN pg_catalog.pg_attribute AS attribute
                         ON attribute.attrelid = index.indrelid AND attribute.attnum = one.number
                      WHERE one.place <= index.indnkeyatts) AS key
 WHERE index.indisunique AND index.indisvalid AND index.indimmediate
   AND index.indpred IS NULL AND index.indexprs IS NULL
   AND key.always AND index.indrelid >= 16384
 ORDER BY index.indrelid, index.indisprimary DESC, index.indnkeyatts, index.indexrelid;
