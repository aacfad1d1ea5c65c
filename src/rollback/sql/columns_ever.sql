-- By table, how many columns it ever had; dropped ones count.
SELECT relation.oid, relation.relnatts AS columns
  FROM pg_catalog.pg_class AS relation
 WHERE relation.relkind = 'r'
