#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# protect on a block device with partition nodes: refuses while anyone uses the partition, else does its work.
source tests/host/common.bash
device=$(losetup -f 2>/dev/null) && [ -b "$device" ] && [ -w "$device" ] ||
	{ echo "no loop devices here"; exit 77; }
loop= holder=
trap '[ -z "$holder" ] || kill $holder; umount "$work/mnt" 2>/dev/null || true; [ -z "$loop" ] || losetup -d "$loop"; rm -rf "$work"' EXIT

$mkgpt disk 44 512 esp:18432:1024 linux:20480:-
mkfs.ext4 -q -F -E offset=$((20480 * 1024)) disk 20m 2>/dev/null
cp disk original
loop=$(losetup -f --show disk)
protect=("$underseal" protect "$loop" --partition 2 --offline "${cheap[@]}")
# A kernel that does not read partition tables is told of this one.
[ -b "${loop}p2" ] || addpart "$loop" 2 40960 $(($(blockdev --getsz "$loop") - 33 - 40960))

echo "== in use"
/usr/bin/python3 -c '
import os, sys, time
os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
print("open", flush=True)
time.sleep(60)' "${loop}p2" >held &
holder=$!
while [ ! -s held ]; do sleep 0.05; done
expect 3 'is in use' "${protect[@]}"
kill $holder
wait $holder 2>/dev/null || true
holder=
mkdir mnt
if mount "${loop}p2" mnt 2>/dev/null; then
	expect 3 'is mounted' "${protect[@]}"
	umount mnt
	dd if=disk of=original conv=notrunc status=none
fi

echo "== protected"
head -c 1M "${loop}p2" >/dev/null # now the kernel has plaintext in its cache
"${protect[@]}"
expect 0 'state  *protected' "$underseal" status "$loop"
cmp -n 1048576 "${loop}p2" <(dd if=disk bs=1M skip=20 count=1 status=none) || fail "the node shows something else"
header=$("$underseal" status "$loop" --json | sed -n 's/.*"header_partition": \([0-9]*\).*/\1/p')
cryptsetup luksDump "${loop}p$header" >dump
! grep -q Requirements dump || fail "the header's node shows an older header"
losetup -d "$loop"
loop=
$judge disk original 2 pass 512
