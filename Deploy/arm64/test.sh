#!/bin/sh
# Builds the tests of the pure floors, and of what touches bytes below them, for arm64 and runs them under qemu-user.
#
#   test.sh CACHE-FOLDER [FILTER]
#
# They hold the golden bytes and the properties of every format: what char's sign, alignment or a hardware path of arm64 could change.
# Tests that start programs run on the machine's own architecture alone (`make test`), and on a board (`swift test` there).
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
cache=$(cd "${1:?usage: test.sh CACHE-FOLDER [FILTER]}" && pwd -P)
. "$here/common.sh"

# The package without its programs, and so without packages of others.
write_package tests '
let pure: Set<String> = [
    "CCovey", "CTOML", "CZlib", "Model", "Environment", "LogFormat", "SupervisionCore", "Membership", "GossipState", "Replication", "RingLog",
    "Devices", "Sinks", "GatewayCore", "Posix", "TOMLConfiguration", "Simulator", "ModelTests", "LogFormatTests",
    "SupervisionCoreTests", "MembershipTests", "GossipStateTests", "ReplicationTests", "RingLogTests", "DevicesTests", "SinksTests",
    "GatewayCoreTests", "PosixTests", "TOMLConfigurationTests",
]
package.targets.removeAll { !pure.contains($0.name) }
package.products = []
package.dependencies = []'
rm -f "$cache/tests/Package.resolved"
# Optimised, as a board's program is: emulated, the ring's histories take hours otherwise.
swift_build tests -c release -Xswiftc -enable-testing --build-tests

# Emulated, the histories of whole sites in GatewayCoreTests take hours: they run only where a filter asks for them.
if [ $# -gt 1 ]; then set -- --filter "$2"; else set -- --skip '^GatewayCoreTests\.'; fi
# Those of the shipped files read this repository where it is not, and are the same on any machine.
set -- "$@" --skip ShippedFilesTests
emulate -E LD_LIBRARY_PATH="$cache/sysroot/usr/lib/swift/linux" \
    "$cache/tests/.build/aarch64-unknown-linux-gnu/release/coveyPackageTests.xctest" \
    --testing-library swift-testing --no-parallel "$@"
