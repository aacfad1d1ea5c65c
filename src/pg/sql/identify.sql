-- Who answers: asked once on every new connection.
SELECT pg_catalog.current_setting('server_version_num') AS version_number,
       pg_catalog.current_setting('server_version') AS version_text,
       pg_catalog.pg_backend_pid() AS backend_pid,
       -- Over a socket neither end has an address; over TCP on one machine both have the same.
       coalesce(pg_catalog.host(pg_catalog.inet_server_addr()), '')
           OPERATOR(pg_catalog.=) coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), '') AS shares_machine;
