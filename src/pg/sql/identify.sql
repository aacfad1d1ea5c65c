-- Who answers: asked once on every new connection.
SELECT pg_catalog.current_setting('server_version_num') AS version_number,
       pg_catalog.current_setting('server_version') AS version_text,
       pg_catalog.pg_backend_pid() AS backend_pid;
