-- Fragment: a list of server processes and `)` follow. How far their index builds are.
SELECT progress.pid AS pid,
       progress.phase AS phase,
       CASE WHEN progress.blocks_total > 0 THEN 100 * progress.blocks_done / progress.blocks_total
            WHEN progress.tuples_total > 0 THEN 100 * progress.tuples_done / progress.tuples_total
       END AS percent
  FROM pg_catalog.pg_stat_progress_create_index AS progress
 WHERE progress.pid IN (
