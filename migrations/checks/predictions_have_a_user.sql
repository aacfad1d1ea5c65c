-- For `--verify-sql checks`: a prediction of nobody. No row means all is well.
SELECT p.id AS prediction_id, p.user_id
FROM predictions AS p
LEFT JOIN users AS u ON u.id = p.user_id
WHERE u.id IS NULL
ORDER BY p.id;
