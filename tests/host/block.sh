#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# protect and enroll on a block device with partition nodes: refuse while anyone uses a partition, else do their work.
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

# hold NODE EXCL|SYNC: somebody has it open, exclusively or not, until let_go.
hold() {
	: >held
	/usr/bin/python3 -c '
import os, sys, time
os.open(sys.argv[1], os.O_RDWR | getattr(os, "O_" + sys.argv[2]))
print("open", flush=True)
time.sleep(60)' "$1" "$2" >held &
	holder=$!
	while [ ! -s held ]; do sleep 0.05; done
}
let_go() {
	kill $holder
	wait $holder 2>/dev/null || true
	holder=
}

echo "== in use"
hold "${loop}p2" EXCL
expect 3 'is in use' "${protect[@]}"
let_go
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

echo "== key slots"
enroll=("$underseal" enroll "$loop" "${cheap[@]}" --recovery-key)
for node in "${loop}p2" "${loop}p$header"; do
	hold "$node" EXCL
	expect 3 'is in use' "${enroll[@]}"
	expect 3 'is in use' "$underseal" remove "$loop" 0 --force
	let_go
done
hold "${loop}p2" SYNC # so that the kernel keeps what it has cached of the disk
"$underseal" list "$loop" >/dev/null
head -c -1 wrong >key2
head -c -1 pass >key
cryptsetup -q luksAddKey --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "${loop}p$header" key2
for command in status list; do
	"$underseal" $command "$loop" >listed
	grep -q 'slot 1' listed || fail "an older header from the kernel's cache"
done
let_go
expect 0 'slot 2 of partition 2 is new' "${enroll[@]}"
cryptsetup -q open --test-passphrase --key-file key2 "${loop}p$header" || fail "stock tools' slot is gone"
grep -xE '([a-z]{8}-){7}[a-z]{8}' out | head -c -1 >recovery
cryptsetup -q open --test-passphrase --key-file recovery "${loop}p$header" || fail "the node shows an older header"
for slot in 1 2; do
	expect 0 'is removed' "$underseal" remove "$loop" $slot --passphrase-file pass
done
losetup -d "$loop"
loop=
$judge disk original 2 pass 512
