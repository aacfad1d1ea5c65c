-- What a column has in rows that are older than the column, if its default is still in force; the
-- caller adds which column.
SELECT CASE WHEN attribute.atthasmissing AND attribute.atthasdef
            THEN (attribute.attmissingval::pg_catalog.text::pg_catalog.text[])[1] END AS value
  FROM pg_catalog.pg_attribute AS attribute
 WHERE NOT attribute.attisdropped
