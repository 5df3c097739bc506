#!/bin/sh
# Proves the other generation of libgpiod on a machine that has the first: compiles CGPIOD with Debian 13's headers,
# warnings as errors, and runs the chip tests in the guest with Debian 13's library.
#
#   check-gpiod2.sh [CACHE-FOLDER]            (default: .cache/gpiod2 of this repository)
#
# The two packages are fetched once, with an apt configuration of their own from the archive that this machine uses
# already; nothing is installed. Needs the kernel of build-uml-kernel.sh. Where the machine itself has libgpiod 2,
# `swift test` is the proof.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
repository=$(cd "$here/../.." && pwd -P)
cache=${1:-$repository/.cache/gpiod2}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
root=$cache/root
libraries=$root/usr/lib/$(gcc -print-multiarch)

fail() {
    echo "check-gpiod2.sh: $*" >&2
    exit 1
}

if ! grep -q GPIOD_LINE_BULK_MAX_LINES /usr/include/gpiod.h; then
    echo "check-gpiod2.sh: this machine's own libgpiod is of the second generation: nothing to do"
    exit 0
fi

exec 9>"$cache/lock"
flock 9

fetch() {
    apt=$cache/apt.$$
    rm -rf "$cache"/apt.*
    trap 'rm -rf "$apt"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/root"
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        grep -v -- -security | head -n 1)
    [ -n "$archive" ] || fail "apt knows no Debian archive; run apt-get update first"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" >"$apt/sources.list"
    own() {
        apt-get -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root "$@"
    }
    own update
    (cd "$apt" && own download libgpiod-dev libgpiod3)
    for package in "$apt"/*.deb; do
        dpkg -x "$package" "$apt/root"
    done
    rm -rf "$root"
    mv "$apt/root" "$root"
}
[ -e "$root/usr/include/gpiod.h" ] && [ -e "$libraries/libgpiod.so" ] || fetch

for source in "$repository"/Sources/CGPIOD/*.c; do
    for compiler in gcc clang; do
        "$compiler" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$root/usr/include" \
            -I"$repository/Sources/CGPIOD/include" -c -o /dev/null "$source"
    done
done
echo "check-gpiod2.sh: CGPIOD compiles with $(sed -n 's/^Version: /libgpiod /p' "$libraries/pkgconfig/libgpiod.pc")"

# The same sources and the same tests, in a package that links the other library.
package=$cache/package
mkdir -p "$package"
ln -sfn "$repository/Sources" "$package/Sources"
ln -sfn "$repository/Tests" "$package/Tests"
cat >"$package/Package.swift.new" <<'MANIFEST'
// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func floor(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "gpiod2",
    targets: [
        .target(name: "CCovey"),
        .target(name: "CGPIOD", cSettings: [.define("_GNU_SOURCE")], linkerSettings: [.linkedLibrary("gpiod")]),
        floor("Model"),
        floor("Environment", ["Model"]),
        floor("Threads"),
        floor("Posix", ["CCovey", "Environment", "Model"]),
        floor("Devices", ["Environment", "Model"]),
        floor("GPIODriver", ["CGPIOD", "Devices", "Environment", "Model", "Threads"]),
        .testTarget(
            name: "GPIOChipTests",
            dependencies: ["Devices", "Environment", "GPIODriver", "Model", "Posix", "Threads"],
            swiftSettings: settings),
    ]
)
MANIFEST
cmp -s "$package/Package.swift.new" "$package/Package.swift" || cp "$package/Package.swift.new" "$package/Package.swift"
rm -f "$package/Package.swift.new"

swift build --package-path "$package" --build-tests -j 2 -Xcc -I"$root/usr/include" -Xlinker -L"$libraries"
bundle=$(swift build --package-path "$package" --show-bin-path)/gpiod2PackageTests.xctest
LD_LIBRARY_PATH=$libraries ldd "$bundle" | grep -q "libgpiod.*$libraries" ||
    fail "the tests were not linked with the other library"
LD_LIBRARY_PATH=$libraries swift test --package-path "$package" --skip-build
