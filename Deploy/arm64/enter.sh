#!/bin/sh
# enter.sh CACHE REPOSITORY COMMAND…: the command in the compiler's root; for common.sh, as root in a mount namespace of its own.
set -eu

cache=$1
repository=$2
shift 2
root=$cache/compiler
mkdir -p "$root/covey" "$root/cache"
mount --bind "$repository" "$root/covey"
mount --bind -o ro "$repository" "$root/covey"
mount --bind "$cache" "$root/cache"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# Folders of this machine that git is told to take packages from.
sed -n 's|^\[url "\(/.*\)"\]$|\1|p' "$cache/gitconfig" | while read -r folder; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
done
exec chroot "$root" env PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 GIT_CONFIG_GLOBAL=/cache/gitconfig "$@"
