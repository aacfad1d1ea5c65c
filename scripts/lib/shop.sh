# The sample shop on a server of its own: for the demo and for measuring.
#
# Needs the other libraries. `open_shop` sets `shop` (a directory with the sample migrations),
# DATABASE_URL, and a PATH with pgbelay, Alembic and the client programs; it moves into the shop.

shop_revision=8e61c0d4b7f5 # predictions: two versions behind the head

build_release() {
    say "cargo build --release (the first time it takes some minutes)"
    cargo build --release --quiet --manifest-path "$repo/Cargo.toml"
    export PATH="$(target_directory)/release:$PATH"
}

# The newest server of the wheel, the shop's database and role on it; both go when the script ends.
open_shop() {
    shop=$(mktemp -d "${TMPDIR:-/tmp}/pgbelay-shop.XXXXXX")
    trap close_shop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cluster=$("$repo/scripts/server" start "${PGBELAY_DEMO_MAJOR:-18}" --until-exit-of $$)
    export PATH="$venv/bin:$(cat "$cluster/bin"):$PATH" PYTHONDONTWRITEBYTECODE=1
    cp -R "$repo/migrations/." "$shop"
    cd "$shop"
    as_admin postgres -c "CREATE ROLE shop LOGIN PASSWORD 'not-a-real-secret'" -c "CREATE DATABASE shop OWNER shop"
    unset "${!PG@}" "${!DB_@}" "${!POSTGRES_@}"
    export DATABASE_URL="postgresql://shop:not-a-real-secret@127.0.0.1:$(cat "$cluster/port")/shop"
}

close_shop() {
    cd /
    [ -z "${cluster:-}" ] || stop_cluster "$cluster"
    rm -rf "$shop"
}

# psql as the server's superuser.
as_admin() { # DATABASE ARGUMENTS...
    psql -Xq -v ON_ERROR_STOP=1 -h "$cluster/socket" -p "$(cat "$cluster/port")" -U postgres -d "$1" "${@:2}"
}

# The schema up to the predictions, and rows in every table.
fill_shop() {
    quietly alembic upgrade "$shop_revision"
    psql -Xq -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -f sample_data.sql
}

# What pg_dump says about the shop, in a form in which equal databases are equal texts.
shop_dump() {
    pg_dump -h "$cluster/socket" -p "$(cat "$cluster/port")" -U postgres "${1:-shop}" |
        python "$repo/tests/tools/normdump.py"
}
