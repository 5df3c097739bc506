#!/bin/sh
# Builds the user-mode Linux kernel that gives the tests a real /dev/gpiochip0, and prints its path.
#
#   build-uml-kernel.sh [CACHE-FOLDER]        (default: .cache/uml of this repository)
#
# Debian's kernels have no gpio-sim; this one has. It is built once and kept: a second run checks the kept one and ends
# at once. Needs from Debian: linux-source-6.1 gcc make flex bison bc libelf-dev xz-utils. It installs nothing itself.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
cache=${1:-$here/../../.cache/uml}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
kernel=$cache/linux

fail() {
    echo "build-uml-kernel.sh: $*" >&2
    exit 1
}

# The options that a plain `ARCH=um defconfig` lacks. Without PCI and MSI user-mode Linux has only 64 interrupt
# numbers, all of them taken, and every request for edges fails with "No such device".
options="EXPERT GPIOLIB GPIO_CDEV GPIO_CDEV_V1 GPIO_SIM CONFIGFS_FS HOSTFS DEVTMPFS DEVTMPFS_MOUNT TMPFS VIRTIO_UML
UML_PCI_OVER_VIRTIO PCI PCI_MSI"

# The kept kernel is used again only if it has just these options and still runs.
recipe="linux-source-6.1 $options"
is_good() {
    [ -x "$1" ] && [ "$(cat "$cache/recipe" 2>/dev/null)" = "$recipe" ] && "$1" --version >/dev/null 2>&1
}

# One build at a time: test runs may start together.
exec 9>"$cache/lock"
flock 9

if is_good "$kernel"; then
    echo "$kernel"
    exit 0
fi

[ "$(uname -m)" = x86_64 ] || fail "user-mode Linux 6.1 exists for x86 only; this machine is $(uname -m)"
archive=/usr/src/linux-source-6.1.tar.xz
[ -r "$archive" ] || fail "$archive is missing; install the Debian package linux-source-6.1"
for tool in gcc make flex bison bc xz tar; do
    command -v "$tool" >/dev/null || fail "$tool is missing; install gcc make flex bison bc libelf-dev xz-utils"
done

# A build that was broken off leaves its tree behind: clear it away, and this one too, however it ends.
rm -rf "$cache"/build.*
build=$cache/build.$$
trap 'rm -rf "$build"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$build"

echo "build-uml-kernel.sh: unpacking and building; this takes some minutes, once" >&2
tar -C "$build" --strip-components=1 -xJf "$archive"
log=$cache/build.log
: >"$log"
run() {
    "$@" >>"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "'$*' failed; the whole log is in $log"
    }
}
cd "$build"
run make ARCH=um defconfig
for option in $options; do
    run ./scripts/config --enable "$option"
done
run make ARCH=um olddefconfig
# Kconfig drops silently what it cannot have.
for option in $options; do
    grep -q "^CONFIG_$option=y" .config || fail "the kernel's configuration did not take CONFIG_$option"
done
run make ARCH=um -j"$(nproc)" linux
run strip linux

./linux --version >/dev/null 2>&1 || fail "the kernel that was built does not run"
cp linux "$cache/linux.new"
echo "$recipe" >"$cache/recipe.new"
# The recipe goes last: without it the kernel is not trusted.
rm -f "$cache/recipe"
mv -f "$cache/linux.new" "$kernel"
mv -f "$cache/recipe.new" "$cache/recipe"
is_good "$kernel" || fail "$kernel does not verify after the build"
echo "$kernel"
