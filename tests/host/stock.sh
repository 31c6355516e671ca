#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a killed protect leaves is a LUKS2 re-encryption that stock cryptsetup repairs and finishes.
source tests/host/common.bash
RANDOM=${SEED:=$RANDOM}
echo "SEED=$SEED"
# Stock cryptsetup re-encrypts block devices only.
device=$(losetup -f 2>/dev/null) && [ -b "$device" ] && [ -w "$device" ] ||
	{ echo "no loop devices here: the replay of test_convert and resume.sh are the proof"; exit 77; }
loop=
trap '[ -z "$loop" ] || losetup -d "$loop"; rm -rf "$work"' EXIT

$mkgpt disk 44 512 linux:17408:26624
cp disk original
protect=("$underseal" protect disk --partition 1 --offline "${cheap[@]}" --zone-size 4)
printf 'correct horse' >key

in_doubt() {
	dd if=disk of=header bs=1M skip=1 count=16 status=none
	cryptsetup luksDump header >dump
	grep -q in-reencryption dump
}

echo "== a zone in doubt"
for try in $(seq 40); do
	[ "$try" -lt 40 ] || fail "no kill left a zone in doubt"
	cp original disk
	for kill in 1 2 3 4 5 6; do
		rc=0
		/usr/bin/python3 "$here/killer.py" '%  ' $((RANDOM % 40)) "${protect[@]}" 2>log || rc=$?
		[ $rc = 137 ] || break
		in_doubt && break 2
	done
done
sed -n '/Data segments/,/Keyslots:/p' dump | tr -s '\n\t ' ' '
echo
loop=$(losetup -f --show --offset 17825792 --sizelimit $((26 << 20)) disk)
cryptsetup -q repair --header header --key-file key "$loop"
cryptsetup luksDump header | grep -q in-reencryption && fail "stock repair left a zone in doubt"
cryptsetup -q open --test-passphrase --header header --key-file key "$loop"
echo "== finished by stock cryptsetup"
# Repairing the last zone finishes the work.
cryptsetup luksDump header >dump
if grep -q online-reencrypt dump; then
	cryptsetup -q reencrypt --resume-only --header header --key-file key "$loop"
fi
sync "$loop"
losetup -d "$loop"
loop=
dd if=header of=disk bs=1M seek=1 conv=notrunc status=none
$judge disk original 1 pass 512
expect 3 'protected already' "${protect[@]}"
