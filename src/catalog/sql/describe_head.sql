-- Fragment: the head of a query that names objects which no entry covers, and a statement that
-- would remove each. A list of (class, object) pairs and describe_tail.sql follow; in psql: put
-- (1255::oid, 16385::oid) between them.
WITH wanted(class, object) AS (VALUES 
