#!/bin/sh
# Fetches what `make arm64` builds with, once, from the Debian archive that this machine's apt uses already:
#
#   fetch.sh CACHE-FOLDER
#
#   CACHE/compiler  a root folder with Debian unstable's Swift for this machine, to be entered with chroot
#   CACHE/sysroot   Debian 13's C libraries and headers for arm64, and the arm64 half of the same Swift build
#   CACHE/sdks      the Swift SDK bundle that ties the two together
#
# Each part appears under its name only when it is whole, so a run that was broken off is simply repeated. Nothing is
# installed on the machine. Needs from Debian: mmdebstrap debian-archive-keyring, and root (through sudo).
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
cache=${1:?usage: fetch.sh CACHE-FOLDER}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
. "$here/common.sh"

# libmosquitto and the others: what BUILD_PACKAGES of the Makefile names, as Debian 13 has it.
libraries=libc6-dev,libstdc++-14-dev,libmosquitto-dev,libgpiod-dev,libsqlite3-dev
libraries=$libraries,libtomlplusplus-dev,zlib1g-dev,libavahi-client-dev
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

exec 9>"$cache/lock"
flock 9

archive() {
    command -v apt-get >/dev/null || fail "this needs Debian: there is no apt-get here"
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v -- -security | head -n 1)
    [ -n "$found" ] || fail "apt knows no Debian archive; run apt-get update first"
    echo "$found"
}

# mmdebstrap reads no apt configuration of this machine: a mirror that stands still is told to be taken as it is.
bootstrap() {
    as_root mmdebstrap --mode=root --keyring="$keyring" --components=main \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
        --aptopt='Acquire::Languages "none"' "$@"
}

fetch_compiler() {
    echo "fetch.sh: Swift from Debian unstable; 700 MB, unpacked 3.5 GB, once" >&2
    bootstrap --variant=apt --include=swiftlang,libc6-dev,libstdc++-15-dev,git,ca-certificates \
        sid "$cache/compiler.new" "$(archive)"
    as_root mv "$cache/compiler.new" "$cache/compiler"
}

# apt for arm64 with a state of its own, which asks for packages and installs none.
apt_arm64() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::Etc::sourcelist="$apt/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$apt/lists" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root \
        -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false "$@"
}

# Modules are readable by the compiler that they were built with and by no other, so both halves have one version.
fetch_swift_arm64() {
    version=$(dpkg-query --admindir="$cache/compiler/var/lib/dpkg" -W -f='${Version}' swiftlang)
    apt=$cache/apt
    rm -rf "$apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb [signed-by=$keyring] $(archive) sid main" >"$apt/sources.list"
    apt_arm64 update
    (cd "$apt" && apt_arm64 download "swiftlang=$version" "libswiftlang=$version") ||
        fail "arm64 has no swiftlang $version: remove $cache/compiler and start again"
    unpack "$apt"/swiftlang_*.deb './usr/libexec/swift/lib/swift*' './usr/libexec/swift/lib/clang/*/include'
    unpack "$apt"/libswiftlang_*.deb './usr/libexec/swift/lib/swift*'
    rm -rf "$apt"
}

# The package without the compiler in it, which is 2 GB.
unpack() {
    package=$1
    shift
    dpkg-deb --fsys-tarfile "$package" | as_root tar -x -C "$cache/sysroot.new" --no-same-owner \
        --exclude='*/swift/host' --exclude='*/embedded' --exclude='*/swift/pm' --exclude='*/FrameworkABIBaseline' \
        --wildcards "$@"
}

fetch_sysroot() {
    echo "fetch.sh: Debian 13's arm64 libraries and Swift's; 530 MB, unpacked 0.5 GB, once" >&2
    bootstrap --variant=extract --arch=arm64 --include="$libraries" trixie "$cache/sysroot.new" "$(archive)"
    fetch_swift_arm64
    # Where a merged /usr and the SDK's layout expect them. `extract` unpacks packages and runs nothing, base-files' links among it.
    [ -e "$cache/sysroot.new/lib" ] || as_root ln -s usr/lib "$cache/sysroot.new/lib"
    as_root ln -s ../libexec/swift/lib/swift "$cache/sysroot.new/usr/lib/swift"
    as_root ln -s ../libexec/swift/lib/swift_static "$cache/sysroot.new/usr/lib/swift_static"
    # Tests that import Foundation ask for this library, which Debian's package lacks. Nothing in it is used: an archive without members does.
    printf '!<arch>\n' | as_root tee "$cache/sysroot.new/usr/libexec/swift/lib/swift/linux/lib_Testing_Foundation.a" >/dev/null
    echo "$libraries" | as_root tee "$cache/sysroot.new/packages" >/dev/null
    as_root mv "$cache/sysroot.new" "$cache/sysroot"
}

# In the chroot the cache is /cache. System libraries are found through the sysroot alone.
write_sdk() {
    bundle=$cache/sdks/covey-arm64.artifactbundle
    mkdir -p "$bundle/arm64"
    cat >"$bundle/info.json" <<'JSON'
{"schemaVersion": "1.0", "artifacts": {"covey-arm64": {"type": "swiftSDK", "version": "1",
  "variants": [{"path": "arm64"}]}}}
JSON
    cat >"$bundle/arm64/swift-sdk.json" <<'JSON'
{"schemaVersion": "4.0", "targetTriples": {"aarch64-unknown-linux-gnu": {
  "sdkRootPath": "/cache/sysroot",
  "swiftResourcesPath": "/cache/sysroot/usr/lib/swift",
  "swiftStaticResourcesPath": "/cache/sysroot/usr/lib/swift_static",
  "toolsetPaths": ["toolset.json"]}}}
JSON
    cat >"$bundle/arm64/toolset.json" <<'JSON'
{"schemaVersion": "1.0",
 "cCompiler": {"extraCLIOptions": ["--sysroot", "/cache/sysroot"]},
 "cxxCompiler": {"extraCLIOptions": ["--sysroot", "/cache/sysroot"]},
 "swiftCompiler": {"extraCLIOptions": ["-use-ld=lld", "-Xclang-linker", "--sysroot=/cache/sysroot",
   "-L", "/cache/sysroot/usr/lib/gcc/aarch64-linux-gnu/14"]}}
JSON
}

as_root rm -rf "$cache/compiler.new" "$cache/sysroot.new"
[ -e "$cache/compiler" ] || fetch_compiler
# Another list of packages makes another sysroot.
[ "$(cat "$cache/sysroot/packages" 2>/dev/null)" = "$libraries" ] || as_root rm -rf "$cache/sysroot"
[ -e "$cache/sysroot" ] || fetch_sysroot
write_sdk
echo "fetch.sh: Swift $(dpkg-query --admindir="$cache/compiler/var/lib/dpkg" -W -f='${Version}' swiftlang) for arm64 is in $cache"
