#!/bin/sh
# Builds the installed program for arm64, with what fetch.sh fetched.
#
#   build.sh CACHE-FOLDER FOLDER [SWIFT-BUILD-OPTION…]
#
# FOLDER gets `covey`, stripped, and `covey.unstripped`, which gives names to the addresses of a crash.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
cache=$(cd "${1:?usage: build.sh CACHE-FOLDER FOLDER}" && pwd -P)
folder=${2:?usage: build.sh CACHE-FOLDER FOLDER}
shift 2
. "$here/common.sh"

write_package package
swift_build package -c release --static-swift-stdlib "$@" -Xlinker --version-script=/covey/Deploy/exports.map --product covey
mkdir -p "$folder"
cp "$cache/package/.build/aarch64-unknown-linux-gnu/release/covey" "$folder/covey.unstripped"
in_compiler /usr/libexec/swift/bin/llvm-objcopy --strip-all /cache/package/.build/aarch64-unknown-linux-gnu/release/covey \
    /cache/package/covey
cp "$cache/package/covey" "$folder/covey"
