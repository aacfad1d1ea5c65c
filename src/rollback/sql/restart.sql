-- What the server wrote down when it came up again after a crash, if its newest checkpoint is one of this life.
--   next_xid        the first transaction id that nobody had by then, as epoch:id
--   of_this_life    whether it lies behind all that was replayed; null if nothing was
SELECT c.next_xid,
       c.checkpoint_lsn >= pg_catalog.pg_last_wal_replay_lsn() AS of_this_life
  FROM pg_catalog.pg_control_checkpoint() c;
