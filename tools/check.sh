#!/bin/sh
# Runs all checks, and says at the end which failed: one run shows everything that is wrong.
#
#   tools/check.sh [lint] [tests]
#
# lint: style, types, imports, rules, routes, chart, references. tests: pytest, on real servers; with CI=true a missing server
# is a failure. PYTEST_ARGS is handed on to pytest.
set -u
cd "$(dirname "$0")/.."
log=.venv/check.log
failed=

# check LABEL COMMAND...: quiet when all is well.
check() {
    label=$1
    shift
    printf '%-44s ' "$label"
    if "$@" >"$log" 2>&1; then
        echo ok
    else
        echo FAILED
        sed 's/^/    /' "$log"
        failed="$failed, $label"
    fi
}

lint() {
    check 'style (ruff check)' ruff check --quiet .
    check 'format (ruff format)' ruff format --check --quiet .
    check 'types (mypy)' mypy --strict exporters tools bench
    check 'imports point one way (import-linter)' lint-imports
    check 'rules load (promtool)' promtool check rules alerting/rules/*.yml
    check 'routes load (amtool)' amtool check-config alerting/alertmanager/alertmanager.yml
    check 'references are fresh (make docs)' python -m tools.reference --check
    check 'dashboards are fresh (make docs)' python -m dashboards.build --check
    if command -v helm >/dev/null; then check 'chart (helm lint)' helm lint --strict helm/closewatch; fi
}

tests() {
    servers=
    [ "${CI:-}" != true ] || servers=--require-servers
    # Tests wait for servers more than they compute: one worker more than there are cores, and each has servers of its own.
    workers=$(($(nproc) + 1))
    [ "$workers" -le 6 ] || workers=6
    # shellcheck disable=SC2086 # both hold several words or none
    pytest -n "$workers" $servers ${PYTEST_ARGS:-} || failed="$failed, pytest"
}

for part in "$@"; do
    "$part"
done
[ -z "$failed" ] || {
    echo "FAILED: ${failed#, }" >&2
    exit 1
}
