#!/bin/sh
# Makes the virtual environment .venv with closewatch and the named extra, for a machine that has Python and nothing else.
#
#   tools/environment.sh demo|test
#
# PYTHON names the interpreter; without it the first one that is new enough is taken.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .venv
log=.venv/setup.log

fail() {
    printf '\n%s\n' "$1" >&2
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

interpreter() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$python"; then
            echo "$python"
            return
        fi
    done
    fail "closewatch needs Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.11 ..."
}

# Debian and Ubuntu leave pip out of Python's own venv module; then the wheel that their module would use is fetched.
with_pip() {
    if "$1" -c 'import ensurepip' 2>/dev/null; then
        "$1" -m venv .venv
        return
    fi
    "$1" -m venv --without-pip .venv
    tools/engines.sh .venv/engines pip || fail "This Python has no pip for virtual environments: install python3-venv."
    wheels=.venv/engines/unpacked/usr/share/python-wheels
    .venv/bin/python "$(ls "$wheels"/pip-*.whl)/pip" install --quiet --no-index --find-links "$wheels" pip >>"$log" 2>&1
}

if [ ! -x .venv/bin/pip ]; then
    python=$(interpreter)
    echo "Setting up: $("$python" --version), in .venv"
    with_pip "$python"
fi
echo "Setting up: closewatch and what its $1 needs"
.venv/bin/pip install --disable-pip-version-check --quiet --editable ".[$1]" >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "pip could not install the dependencies: see $log"
}
touch ".venv/.$1"
