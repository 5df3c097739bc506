# What the scripts beside this one share. They set $cache, a folder's full path, first.
repository=$(cd "$here/../.." && pwd -P)

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# in_compiler COMMAND…: in the compiler's root, with this repository as /covey and the cache as /cache. The mounts belong to a namespace
# of their own and end with the command.
in_compiler() {
    share_git_settings
    as_root unshare --mount --propagation private "$here/enter.sh" "$cache" "$repository" "$@"
}

# A mirror or a proxy that git uses on this machine counts for Swift's packages, too.
share_git_settings() {
    rm -f "$cache/gitconfig"
    touch "$cache/gitconfig"
    git config --get-regexp '^(url|https?)\.' 2>/dev/null | while read -r key value; do
        git config --file "$cache/gitconfig" --add "$key" "$value"
    done
    git config --file "$cache/gitconfig" safe.directory '*'
}

# write_package NAME [SWIFT…]: CACHE/NAME is this repository's package once more, with a build folder and pins of its own; what is
# written stays out of the working copy. More lines of Swift may change what is built.
write_package() {
    folder_of_package=$cache/$1
    shift
    mkdir -p "$folder_of_package"
    for part in Sources Tests Benchmarks Deploy; do
        ln -sfn "/covey/$part" "$folder_of_package/$part"
    done
    { cat "$repository/Package.swift" && printf '%s\n' "$@"; } >"$folder_of_package/Package.swift.new"
    cmp -s "$folder_of_package/Package.swift.new" "$folder_of_package/Package.swift" ||
        cp "$folder_of_package/Package.swift.new" "$folder_of_package/Package.swift"
    [ ! -e "$repository/Package.resolved" ] || cp "$repository/Package.resolved" "$folder_of_package/Package.resolved"
}

swift_build() {
    package=/cache/$1
    shift
    in_compiler swift build --package-path "$package" --swift-sdks-path /cache/sdks --swift-sdk covey-arm64 -j "$(nproc)" "$@"
}

# emulate [QEMU-OPTION…] PROGRAM [ARGUMENT…]: takes this shell's place with an arm64 program that has the sysroot's libraries. Debian 13
# has the emulator under the shorter name, too.
emulate() {
    emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || fail "qemu-user-static is not installed"
    exec "$emulator" -L "$cache/sysroot" "$@"
}
