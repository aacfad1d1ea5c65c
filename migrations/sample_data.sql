-- Rows for every table of the sample, with values that are easily damaged: quotes, backslashes,
-- tabs, line ends, NULL beside the empty string, numbers with trailing zeros. Fits the revisions
-- from 8e61c0d4b7f5 on, whatever they add. Fixed moments only: two loads are equal.
BEGIN;
INSERT INTO users (email, display_name, created_at)
SELECT 'user' || n || '@example.org',
       CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'O''Brien \ "' || n || '"' ELSE E'Zoë\tund\nSöhne' END,
       timestamptz '2025-10-21 12:00:00+00' + n * interval '1 hour'
FROM generate_series(1, 200) AS n;
INSERT INTO auth_identities (user_id, provider, subject, profile)
SELECT id, 'google', 'subject-' || id, json_build_object('id', id, 'name', display_name) FROM users;
INSERT INTO listings (title, price, status, details, created_at)
SELECT 'Listing ' || n, n * 1.50, (ARRAY['draft', 'listed', 'sold', 'removed'])[n % 4 + 1]::listing_status,
       jsonb_build_object('tags', jsonb_build_array('a', n), 'note', repeat('x', n % 50)),
       timestamptz '2025-11-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 1000) AS n;
INSERT INTO listing_scores (listing_id, score) SELECT id, 1 / id::float8 FROM listings;
INSERT INTO comps (listing_id, source, price) SELECT id, 'ebay', price * 2 FROM listings WHERE id % 3 = 0;
INSERT INTO user_prefs (user_id, settings) SELECT id, '{"theme": "dark"}' FROM users WHERE id % 2 = 0;
INSERT INTO notifications (user_id, body, read_at)
SELECT id, E'line 1\nline 2', CASE WHEN id % 2 = 0 THEN timestamptz '2025-11-02 10:00:00+00' END FROM users;
INSERT INTO my_items (user_id, listing_id, cost) SELECT id, id, 10.00 FROM users;
INSERT INTO marketplace_accounts (user_id, marketplace, handle) SELECT id, 'ebay', 'seller' || id FROM users;
INSERT INTO cross_posts (my_item_id, account_id, status) SELECT id, id, 'listed' FROM my_items;
INSERT INTO orders (listing_id, buyer_id, total, ordered_at)
SELECT n, n % 200 + 1, n * 1.5, timestamptz '2025-11-03 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 500) AS n;
INSERT INTO snap_jobs (user_id, images, result, created_at)
SELECT id, ARRAY['a.jpg', 'b "c".jpg', NULL], '{"ok": true}', timestamptz '2025-11-04 00:00:00+00' FROM users WHERE id % 10 = 0;
INSERT INTO predictions (user_id, status, churn_score, rows_processed, created_at)
SELECT n % 200 + 1, 'COMPLETED', (n % 100) / 100.0, n, timestamptz '2025-11-05 00:00:00+00' + n * interval '1 second'
FROM generate_series(1, 2000) AS n;
COMMIT;
