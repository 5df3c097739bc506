#!/bin/sh
# Checks an installation in a staging folder: DESTDIR as `make install` filled it. Needs systemd's own tools, changes nothing.
#   Deploy/verify.sh DESTDIR
set -eu
staged=${1:?the staging folder, as given to make install DESTDIR=}
unit=$staged/usr/lib/systemd/system/covey.service
# Of 10, in tenths: what the sandbox may leave open.
threshold=20

for file in usr/bin/covey usr/lib/systemd/system/covey.service usr/lib/sysusers.d/covey.conf usr/lib/tmpfiles.d/covey.conf \
    usr/lib/udev/rules.d/60-covey-gpio.rules etc/covey/covey.toml; do
    test -f "$staged/$file" || { echo "missing in $staged: $file" >&2; exit 1; }
done

# The unit is checked in a root of its own that has the machine's targets, and the commands that it calls.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd" "$root/usr/bin" "$root/bin" "$root/etc" "$root/usr/share/doc/covey"
cp -a /usr/lib/systemd/system "$root/usr/lib/systemd/"
cp "$unit" "$root/usr/lib/systemd/system/"
cp "$staged/usr/bin/covey" "$root/usr/bin/"
cp /bin/kill "$root/bin/"

# It warns of unknown keys and still exits with 0: any word is a fault.
words=$(systemd-analyze verify --man=no --root="$root" covey.service 2>&1) || { echo "$words" >&2; exit 1; }
test -z "$words" || { echo "$words" >&2; exit 1; }
# Not in a pipe, which would hide its exit code.
systemd-analyze security --offline=true --threshold=$threshold --root="$root" covey.service >"$root/score" ||
    { cat "$root/score" >&2; exit 1; }
tail -n 1 "$root/score"
systemd-sysusers --root="$root" "$staged/usr/lib/sysusers.d/covey.conf"
grep -q '^gpio:.*covey' "$root/etc/group" || { echo "covey is not in the group gpio" >&2; exit 1; }
systemd-tmpfiles --root="$root" --create "$staged/usr/lib/tmpfiles.d/covey.conf"
test -d "$root/var/lib/covey" || { echo "no /var/lib/covey" >&2; exit 1; }
echo "the installation in $staged is well"
