# Shared by every script: where things are, how we speak, who we are.
#
# Source it first. It sets `repo` (the repository's root) and `cache` (downloads, virtual
# environment, server programs; PGBELAY_CACHE overrides), makes `cargo` work when HOME is empty,
# and defines the words the scripts speak in. Nothing here has side effects on disk.

set -euo pipefail
umask 022
repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
cache=${PGBELAY_CACHE:-$repo/.cache}

# One line about what is going on, on stderr so that stdout can carry data.
say() { printf '\033[1m==>\033[0m %s\n' "$*" | plain_unless_terminal >&2; }

# What went wrong and what to do about it; ends the script.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    for hint in "$@"; do printf ' hint: %s\n' "$hint" >&2; done
    exit 1
}

plain_unless_terminal() {
    if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed $'s/\033\\[[0-9]*m//g'; fi
}

is_root() { [ "$(id -u)" = 0 ]; }

# Runs a command, its output in a log that is shown only when the command fails.
quietly() {
    local log status=0
    log=$(mktemp "${TMPDIR:-/tmp}/pgbelay-setup.XXXXXX")
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || { echo "failed ($status): $*" >&2; tail -n 40 "$log" >&2; }
    rm -f "$log"
    return "$status"
}

# Two crates are C: libdeflate and jemalloc.
find_c_compiler() {
    if command -v cc >/dev/null && command -v make >/dev/null; then return; fi
    if is_root && command -v apt-get >/dev/null; then
        say "apt-get install gcc make"
        quietly apt-get update && quietly apt-get install -y gcc libc6-dev make && return
    fi
    die "no C compiler or no make found" "install both, for example Debian's packages gcc, libc6-dev and make"
}

# Under an empty HOME rustup's proxies find no toolchain: point them at the one beside them.
find_rust() {
    find_c_compiler
    command -v cargo >/dev/null || die "no Rust toolchain found: cargo is not on PATH" \
        "install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml") or newer"
    cargo --version >/dev/null 2>&1 && return
    local home
    home=$(cd -- "$(dirname -- "$(command -v cargo)")/../.." && pwd -P)
    export RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup} CARGO_HOME=${CARGO_HOME:-$home/.cargo}
    cargo --version >/dev/null || die "cargo is on PATH but does not run" "set RUSTUP_HOME and CARGO_HOME"
}

# cargo builds here; PGBELAY_TARGET_DIR is not needed, cargo's own CARGO_TARGET_DIR is honoured.
target_directory() { printf '%s\n' "${CARGO_TARGET_DIR:-$repo/target}"; }
