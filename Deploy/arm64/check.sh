#!/bin/sh
# Starts the arm64 program here, under qemu-user and with Debian 13's arm64 libraries, and looks at what it says.
#
#   check.sh CACHE-FOLDER PROGRAM
#
# Needs from Debian: qemu-user-static binutils.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
cache=$(cd "${1:?usage: check.sh CACHE-FOLDER PROGRAM}" && pwd -P)
program=${2:?usage: check.sh CACHE-FOLDER PROGRAM}
. "$here/common.sh"

covey() {
    (emulate "$program" "$@")
}

# What it is, and what a board must have for it. That Debian 13 has those versions is what starting it there proves.
readelf -h "$program" | grep -q 'Machine: *AArch64' || fail "$program is not for arm64"
echo "needs $(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
echo "needs $(readelf -V "$program" | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -n 1)," \
    "$(($(wc -c <"$program") / 1000000)) MB"
if readelf -d "$program" | grep -E 'NEEDED.*(swift|Foundation|dispatch)'; then
    fail "$program looks for Swift's libraries, which no board has"
fi

covey version
covey check --config "$repository/Config/covey.toml"

# A gateway with a simulated sensor: ring, threads, clocks and socket are those of the board.
folder=$(mktemp -d)
daemon=
finish() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || :
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
cat >"$folder/covey.toml" <<TOML
[gateway]
name = "emulated"
data_dir = "$folder/data"
[api]
socket = "$folder/socket"
[storage]
ring_size = "32 MiB"
commit_window = "100 ms"
[[device]]
id = "tide"
driver = "simulated"
metric = "level"
unit = "m"
interval = "200 ms"
TOML
emulate "$program" run --config "$folder/covey.toml" >"$folder/log" 2>&1 &
daemon=$!

# An emulated start takes seconds.
tries=0
until covey latest --socket "$folder/socket" 2>/dev/null | tee "$folder/latest" | grep -q tide; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ] || ! kill -0 "$daemon" 2>/dev/null; then
        cat "$folder/log" >&2
        fail "the gateway showed no reading"
    fi
    sleep 1
done
cat "$folder/latest"
covey status --socket "$folder/socket" || { cat "$folder/log" >&2; fail "the gateway is not well"; }
kill -TERM "$daemon"
ended=0
wait "$daemon" || ended=$?
daemon=
[ "$ended" = 0 ] || { cat "$folder/log" >&2; fail "the gateway ended with $ended"; }
# What it stored is there, read by the program that no daemon answers.
stored=$(covey query --data-dir "$folder/data" --format csv | grep -c tide) || fail "the ring has no readings"
echo "check.sh: the arm64 program ran, stored $stored readings, ended, and reads them back"
