#!/bin/sh
# Brings the engines that the demo, the tests and the benchmarks run: Prometheus, Alertmanager, PostgreSQL, Redis and so on.
#
#   tools/engines.sh FOLDER monitoring|postgresql|redis|pgbouncer|pgbackrest|barman|barman_cloud|restic|age|curl|jq|postgres_exporter|redis_exporter|blackbox_exporter|pip ...
#
# What is on PATH is used as it is. Else Debian's or Ubuntu's own package is downloaded and unpacked into FOLDER: nothing is
# installed system-wide, no service is started, and no root is needed. A second run finds everything there and does nothing.
# FOLDER/bin belongs at the end of PATH: a newer binary in front of it wins.
set -eu

folder=$1
shift
mkdir -p "$folder/bin"
folder=$(cd "$folder" && pwd)
PATH=$PATH:$folder/bin

say() { printf '  %-18s %s\n' "$1" "$2"; }

fail() {
    printf '\n%s\n' "$1" >&2
    exit 1
}

# apt-get with package lists and a cache of our own, so that neither root nor a lock is needed. The user _apt, to which it would
# drop as root, can't write here.
apt() {
    apt-get -qq -o Dir::State::lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@" >>"$folder/apt.log" 2>&1
}

# Lists older than a day may name packages that the mirror has replaced.
apt_lists() {
    command -v apt-get >/dev/null || fail "$1 is not on PATH, and this is no Debian or Ubuntu: please install it."
    [ -z "$(find "$folder/apt/updated" -mmin -1440 2>/dev/null)" ] || return 0
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
    apt update || fail "The package lists can't be had: see $folder/apt.log"
    touch "$folder/apt/updated"
}

unpack_archives() {
    for deb in "$folder"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$folder/unpacked"
        rm "$deb"
    done
}

# package NAME PACKAGE: unpacks the package alone, without what it depends on.
package() {
    apt_lists "$1"
    (cd "$folder/apt/cache/archives" && apt download "$2") || fail "Package $2 can't be had: see $folder/apt.log"
    unpack_archives
}

# program NAME BINARY PACKAGE: NAME on PATH, as it is or as BINARY; else from the package. All are Go: they need no libraries.
program() {
    if command -v "$1" >/dev/null; then return; fi
    if path=$(command -v "$2"); then
        ln -sf "$path" "$folder/bin/$1"
        say "$1" "$path"
        return
    fi
    [ -x "$folder/unpacked/usr/bin/$2" ] || package "$1" "$3"
    ln -sf "$folder/unpacked/usr/bin/$2" "$folder/bin/$1"
    say "$1" "Debian package $3, unpacked"
}

# with_libraries NAME PACKAGE: unpacks the package and all that it depends on and that isn't installed.
with_libraries() {
    apt_lists "$1"
    apt install --download-only --no-install-recommends --yes "$2" || fail "Package $2 can't be had: see $folder/apt.log"
    unpack_archives
}

# linked NAME PACKAGE: NAME on PATH, or from the package with its libraries, by a wrapper that names them.
linked() {
    if command -v "$1" >/dev/null; then return; fi
    [ -x "$folder/unpacked/usr/bin/$1" ] || [ -x "$folder/unpacked/usr/sbin/$1" ] || with_libraries "$1" "$2"
    for bin in "$folder/unpacked/usr/sbin" "$folder/unpacked/usr/bin"; do
        [ ! -x "$bin/$1" ] || wrap_one "$bin/$1" "$folder/bin"
    done
    say "$1" "Debian package $2, unpacked"
}

# The test matrix wants a PostgreSQL of the distribution beside the embedded one. Its server needs libraries that may be missing
# here, so all packages that aren't installed are unpacked, and each program gets a wrapper that names the libraries.
postgresql() {
    for bin in /usr/lib/postgresql/*/bin "$folder"/postgresql/*/bin; do
        [ ! -x "$bin/postgres" ] || return 0
    done
    with_libraries postgresql postgresql
    for real in "$folder"/unpacked/usr/lib/postgresql/*/bin; do
        version=$(basename "$(dirname "$real")")
        wrap "$real" "$folder/postgresql/$version/bin"
        say "postgresql $version" "Debian package, unpacked"
    done
}

wrap() {
    for tool in "$1"/*; do wrap_one "$tool" "$2"; done
}

# wrap_one PROGRAM FOLDER: a script of the same name that runs the program with the unpacked libraries.
wrap_one() {
    mkdir -p "$2"
    libraries=$(find "$folder/unpacked/usr/lib" "$folder/unpacked/lib" -maxdepth 1 -type d -name '*-linux-gnu*' 2>/dev/null | paste -sd:)
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libraries" "$1" >"$2/${1##*/}"
    chmod +x "$2/${1##*/}"
}

# Barman is Python of the distribution: its modules are unpacked, and run by the Python that they were packed for. It needs rsync.
barman_of_debian() {
    linked rsync rsync
    of_debians_python barman barman
}

# Its programs for buckets; boto3 is what they reach S3 with.
barman_cloud_of_debian() {
    of_debians_python barman-cloud-backup barman-cli-cloud python3-boto3
    of_debians_python barman-cloud-wal-archive barman-cli-cloud
}

# of_debians_python NAME PACKAGE [PACKAGE]: a program in the distribution's Python.
of_debians_python() {
    if command -v "$1" >/dev/null; then return; fi
    [ -x "$folder/unpacked/usr/bin/$1" ] || for each in "$2" ${3:-}; do with_libraries "$1" "$each"; done
    [ -x /usr/bin/python3 ] || fail "$1 needs the distribution's python3."
    # Else each call would compile them anew: other users, who run it in tests, can't write there.
    /usr/bin/python3 -m compileall -q "$folder/unpacked/usr/lib/python3/dist-packages" >/dev/null 2>&1 || true
    libraries=$(find "$folder/unpacked/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' 2>/dev/null | paste -sd:)
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" PYTHONPATH="%s" exec /usr/bin/python3 "%s" "$@"\n' \
        "$libraries" "$folder/unpacked/usr/lib/python3/dist-packages" "$folder/unpacked/usr/bin/$1" >"$folder/bin/$1"
    chmod +x "$folder/bin/$1"
    say "$1" "Debian package $2, unpacked"
}

for wanted in "$@"; do
    case $wanted in
        monitoring)
            program prometheus prometheus prometheus
            program promtool promtool prometheus
            program alertmanager prometheus-alertmanager prometheus-alertmanager
            program amtool amtool prometheus-alertmanager
            ;;
        postgresql) postgresql ;;
        redis) linked redis-server redis-server ;;
        pgbouncer) linked pgbouncer pgbouncer ;;
        pgbackrest) linked pgbackrest pgbackrest ;;
        barman) barman_of_debian ;;
        barman_cloud) barman_cloud_of_debian ;;
        restic) program restic restic restic ;;
        age)
            program age age age
            program age-keygen age-keygen age
            ;;
        curl | jq) linked "$wanted" "$wanted" ;;
        blackbox_exporter) program blackbox_exporter prometheus-blackbox-exporter prometheus-blackbox-exporter ;;
        postgres_exporter) program postgres_exporter prometheus-postgres-exporter prometheus-postgres-exporter ;;
        redis_exporter) program redis_exporter prometheus-redis-exporter prometheus-redis-exporter ;;
        pip) package pip python3-pip-whl ;;
        *) fail "unknown: $wanted" ;;
    esac
done
