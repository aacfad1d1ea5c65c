-- What a column has in rows that are older than the column, and its default where that is a constant; the caller adds
-- which column.
SELECT CASE WHEN attribute.atthasmissing
            THEN (attribute.attmissingval::pg_catalog.text::pg_catalog.text[])[1] END AS value,
       CASE WHEN written.adbin::pg_catalog.text LIKE '{CONST%'
            THEN pg_catalog.pg_get_expr(written.adbin, written.adrelid) END AS constant
  FROM pg_catalog.pg_attribute AS attribute
  LEFT JOIN pg_catalog.pg_attrdef AS written
    ON written.adrelid = attribute.attrelid AND written.adnum = attribute.attnum
 WHERE NOT attribute.attisdropped
