# PostgreSQL 15 with its own regression databases, built from Debian's source package.
#
# Needs lib/common.sh, lib/python.sh and lib/postgres.sh, and root, because apt-get fetches the source and the
# server runs as another user. Everything is in one directory, which a second call reuses:
#   postgresql-15_* src build inst       the source package, unpacked, built, installed
#   data sock                            the server's data and socket
#   *.log checked                        what each suite said, and a mark for each one done
# The databases' C functions are in `build`: moving the directory breaks them.

regression_suites="contrib src/test/modules"

regression_directory() {
    if [ -n "${PGBELAY_EXAM_DIR:-}" ]; then echo "$PGBELAY_EXAM_DIR"; return; fi
    local in_cache=$cache/regression outside="${TMPDIR:-/tmp}/pgbelay-regression-$(id -u)"
    mkdir -p "$cache"
    if as_server test -x "$cache"; then echo "$in_cache"; else echo "$outside"; fi
}

# The process id of the directory's server, if it runs.
regression_server() { # DIRECTORY
    local process
    process=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
    kill -0 "$process" 2>/dev/null && echo "$process"
}

# The steps shared with other projects where they are present, else our own.
build_regression_database() { # DIRECTORY PORT
    local shared=$repo/../shared/exam/regression-db.sh
    mkdir -p "$1"
    chmod a+rx "$1"
    if [ -f "$shared" ]; then
        PGBELAY_EXAM_PORT=$2 quietly bash "$shared" "$1" || return 1
    else
        install_build_tools
        [ -x "$1/inst/bin/postgres" ] && [ -f "$1/build/src/test/regress/regress.so" ] || build_postgres "$1" || return 1
        start_regression_server "$1" "$2" || return 1
        regression_has "$1" "$2" regression || run_suite "$1" "$2" src/test/regress || return 1
    fi
}

install_build_tools() {
    command -v gcc >/dev/null && command -v make >/dev/null && command -v pkg-config >/dev/null &&
        pkg-config --exists icu-uc icu-i18n libxml-2.0 zlib && return
    install_debian_packages gcc make bzip2 xz-utils pkg-config perl zlib1g-dev libicu-dev libxml2-dev
}

# The mirror may have dropped the source of the newest version: each is tried, the newest first. The lists
# of source packages are ours alone, the machine's apt configuration stays as it is.
fetch_source() { # DIRECTORY
    local version lists=$1/apt apt
    ls "$1"/postgresql-15_*.orig.tar.* >/dev/null 2>&1 && return
    mkdir -p "$lists/state/partial" "$lists/parts"
    source_lists >"$lists/parts/source.sources"
    apt=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$lists/parts"
        -o "Dir::State::Lists=$lists/state" -o APT::Sandbox::User=root)
    quietly apt-get "${apt[@]}" update || return 1
    for version in $(apt-cache "${apt[@]}" showsrc postgresql-15 | sed -n 's/^Version: //p' | sort -ruV); do
        say "fetching the source of PostgreSQL $version"
        (cd "$1" && quietly apt-get "${apt[@]}" source --download-only "postgresql-15=$version") && return
    done
    die "no source package of PostgreSQL 15 can be downloaded" "is there a deb line for bookworm in /etc/apt?"
}

# Where the machine takes its packages from, as lines that ask for sources.
source_lists() {
    local file=/etc/apt/sources.list.d/debian.sources
    if [ -f "$file" ]; then sed 's/^Types:.*/Types: deb-src/' "$file"; return; fi
    sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\)  *\([^ ]*\)  *\(.*\)/Types: deb-src\nURIs: \2\nSuites: \3\nComponents: \4\n/p' \
        /etc/apt/sources.list
}

build_postgres() { # DIRECTORY
    fetch_source "$1"
    say "building PostgreSQL 15 in $1 (a few minutes)"
    mkdir -p "$1/src" "$1/build"
    tar -xf "$(ls "$1"/postgresql-15_*.orig.tar.* | sort -V | tail -n 1)" -C "$1/src" --strip-components=1
    (
        cd "$1/build"
        quietly "$1/src/configure" --quiet --prefix="$1/inst" --with-icu --with-libxml --with-zlib \
            --without-readline CFLAGS=-O1 &&
            quietly make -s -j"$(nproc)" && quietly make -s install &&
            quietly make -s -j"$(nproc)" -C contrib && quietly make -s -C contrib install &&
            quietly make -s -j"$(nproc)" -C src/test/regress
    )
}

# Runs a client program of the build as the server's user.
as_regression() { # DIRECTORY PORT COMMAND...
    local directory=$1 port=$2
    shift 2
    as_server env PATH="$directory/inst/bin:$PATH" LC_ALL=C.UTF-8 PGHOST="$directory/sock" PGPORT="$port" PGUSER=postgres "$@"
}

start_regression_server() { # DIRECTORY PORT
    ! regression_server "$1" >/dev/null || return 0
    mkdir -p "$1/data" "$1/sock"
    chown "$(server_user)" "$1/data" "$1/sock"
    [ -f "$1/data/PG_VERSION" ] || quietly as_regression "$1" "$2" initdb -D "$1/data" -U postgres -A trust \
        --encoding=UTF8 --locale=C --no-sync || return 1
    quietly as_regression "$1" "$2" pg_ctl -D "$1/data" -l "$1/data/server.log" -w -o "-p $2 -k $1/sock \
        -c listen_addresses='' -c fsync=off -c max_connections=50 -c max_prepared_transactions=2" start
}

regression_has() { # DIRECTORY PORT DATABASE
    [ "$(as_regression "$1" "$2" psql -XAtqc "SELECT count(*) FROM pg_database WHERE datname = '$3'" postgres)" = 1 ]
}

# One of PostgreSQL's own suites; with USE_MODULE_DB each of its modules keeps a database of its own. A suite
# that fails is told and no reason to stop: what it leaves behind is examined as it is.
run_suite() { # DIRECTORY PORT SUITE
    local log=$1/${3//\//-}.log mark=$1/checked/${3//\//-}
    [ ! -e "$mark" ] || return 0
    say "running the tests of $3"
    chown -R "$(server_user)" "$1/build/$3"
    as_regression "$1" "$2" make -s -k -C "$1/build/$3" installcheck USE_MODULE_DB=1 >"$log" 2>&1 </dev/null ||
        say "some tests of $3 failed, see $log: $(grep -c 'FAILED' "$log" || true)"
    mkdir -p "$1/checked"
    touch "$mark"
}

# contrib and the server's test modules (extensions that are made to be hard to dump, labels). The provider
# of labels has to be loaded in every session that sets one.
build_suites() { # DIRECTORY PORT
    local suite
    if [ ! -e "$1/checked/modules-built" ]; then
        quietly make -s -j"$(nproc)" -C "$1/build/src/test/modules" install || return 1
        as_regression "$1" "$2" psql -Xqd postgres -c "ALTER SYSTEM SET session_preload_libraries = 'dummy_seclabel'" \
            -c "SELECT pg_reload_conf()" >/dev/null
        mkdir -p "$1/checked"
        touch "$1/checked/modules-built"
    fi
    for suite in $regression_suites; do run_suite "$1" "$2" "$suite"; done
    # Its scripts take over tables that must be there before: CREATE EXTENSION fails in any other database.
    as_regression "$1" "$2" psql -Xqd contrib_regression_test_extensions -c "SET client_min_messages = warning" \
        -c "DROP EXTENSION IF EXISTS test_ext7, test_ext_cor"
}

# What tests of pg_dump's own dump, from the lists in the same source: two databases. Not examined here are
# members added to an extension, which pg_dump loses and pgbelay refuses.
build_features() { # DIRECTORY PORT
    build_feature_list "$1" "$2" pg_dump_features src/bin/pg_dump/t/002_pg_dump.pl &&
        build_feature_list "$1" "$2" pg_dump_extension src/test/modules/test_pg_dump/t/001_base.pl \
            'ALTER EXTENSION|table_added'
}

build_feature_list() { # DIRECTORY PORT DATABASE TEST [PATTERN]
    ! regression_has "$1" "$2" "$3" || return 0
    perl "$repo/tests/tools/pg_dump_features.pl" "$1/src/$4" "${@:5}" >"$1/$3.sql" || return 1
    as_regression "$1" "$2" psql -XqAtd postgres -c "SET client_min_messages = error" -c "DROP DATABASE IF EXISTS unfinished" -c "CREATE DATABASE unfinished TEMPLATE template0" || return 1
    quietly as_regression "$1" "$2" psql -Xq -d unfinished -f "$1/$3.sql" || return 1
    as_regression "$1" "$2" psql -Xqd postgres -c "ALTER DATABASE unfinished RENAME TO $3"
}
