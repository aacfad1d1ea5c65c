-- A, mixed: pgbench's tables (made by pgbench) and event rows with a btree and a GIN index.
-- psql variable: scale, 1 for 1.5 million events.
CREATE TABLE events (
    id bigserial PRIMARY KEY,
    account integer NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    happened timestamptz NOT NULL,
    amount numeric(12, 2) NOT NULL,
    note text
);
INSERT INTO events (account, kind, payload, happened, amount, note)
SELECT n::bigint * 7919 % 4000000,
       (ARRAY['order', 'payment', 'refund', 'visit', 'login'])[n % 5 + 1],
       jsonb_build_object('session', md5(n::text), 'device', n % 17, 'tags', ARRAY[n % 100, n % 7], 'path', '/shop/' || n % 5000),
       timestamptz '2024-01-01' + n * interval '17 seconds',
       n * 31 % 1000000 / 100.0,
       CASE WHEN n % 3 = 0 THEN 'note of ' || md5((n / 3)::text) END
  FROM generate_series(1, (1500000 * :scale)::integer) n;
CREATE INDEX events_account ON events (account, happened);
CREATE INDEX events_payload ON events USING gin (payload jsonb_path_ops);
