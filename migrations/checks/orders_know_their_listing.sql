-- For `--verify-sql checks`: an order whose listing has been lost. No row means all is well.
SELECT id AS order_id, total
FROM orders
WHERE listing_id IS NULL
ORDER BY id;
