#!/bin/sh
# Runs one command as root inside user-mode Linux, on the host's own file system, and ends with its exit code.
#
#   run-in-guest.sh FOLDER COMMAND [ARGUMENT…]
#
# FOLDER (made if missing) receives: output (what the command printed), console.log (the guest's kernel) and status (its
# exit code; absent where the guest died). The guest has configfs with gpio-sim, so the command can make its own
# /dev/gpiochip0.
# From the environment: COVEY_LAB_KERNEL, the kernel that build-uml-kernel.sh built (default: .cache/uml/linux of this
# repository); COVEY_LAB_TIMEOUT, seconds until the guest is stopped (default 120). Exit 125: no result.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
kernel=${COVEY_LAB_KERNEL:-$here/../../.cache/uml/linux}
[ $# -ge 2 ] || {
    echo "usage: run-in-guest.sh FOLDER COMMAND [ARGUMENT…]" >&2
    exit 125
}
[ -x "$kernel" ] || {
    echo "run-in-guest.sh: there is no kernel $kernel; run Tests/Lab/build-uml-kernel.sh first" >&2
    exit 125
}
folder=$1
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd -P)
rm -f "$folder/status" "$folder/output" "$folder/console.log"

quote() {
    printf "'%s' " "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}
{
    printf 'cd %s\n' "$(quote "$PWD")"
    printf 'exec '
    for word in "$@"; do quote "$word"; done
    echo
} >"$folder/command"

timeout --kill-after=5 "${COVEY_LAB_TIMEOUT:-120}" "$kernel" rootfstype=hostfs rootflags=/ rw mem=512M \
    init="$here/guest-init.sh" con=null con0=fd:0,fd:1 quiet LAB_FOLDER="$folder" \
    </dev/null >"$folder/console.log" 2>&1 || true

[ -r "$folder/status" ] || {
    echo "run-in-guest.sh: the guest ended without a result; its console:" >&2
    tail -n 20 "$folder/console.log" >&2
    exit 125
}
exit "$(cat "$folder/status")"
