-- Columns of tables; the caller adds of which, and after which number.
SELECT attribute.attname AS name
  FROM pg_catalog.pg_attribute AS attribute
 WHERE NOT attribute.attisdropped
