#!/bin/sh
# First process of the user-mode Linux guest: runs the command that run-in-guest.sh left in $LAB_FOLDER, then powers
# off. The root file system is the host's own; only what is mounted here belongs to the guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mount -t configfs configfs /sys/kernel/config
mount -t tmpfs tmpfs /run
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
ip link set lo up

# A command that never ends is ended by run-in-guest.sh, which stops the whole guest.
sh "$LAB_FOLDER/command" >"$LAB_FOLDER/output" 2>&1 </dev/null
echo $? >"$LAB_FOLDER/status.new"
mv "$LAB_FOLDER/status.new" "$LAB_FOLDER/status"

# RB_POWER_OFF without a program for it: the kernel's own emergency key. Process 1 must not end before it works.
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
