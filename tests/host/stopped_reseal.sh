#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# reseal ends in the middle of every single write, and fails at it: the TPM and the passphrase open the disk at each
# moment, and given again for one of the slots it ends with one token.
header_mib=1
source tests/host/tpm2.bash
source "$root/tests/host/stop.bash"
from=(disk --passphrase-file pass --tpm2-device "$tpm" --event-log log)

# again: resealing whatever slots there are until one is left.
again() {
	local slots
	for _ in 1 2 3; do
		mapfile -t slots < <("$underseal" list disk | sed -n 's/^ *token .*systemd-tpm2, opens slot \([0-9]*\),.*/\1/p')
		if [ ${#slots[@]} = 1 ]; then
			"$underseal" reseal "${from[@]}" 2>log2
			return
		fi
		"$underseal" remove disk "${slots[0]}" --passphrase-file pass 2>log2
	done
	return 1
}

start conf secure
"$underseal" enroll "${from[@]}" --tpm2 2>log2
cp disk begun
for fail in '' FAIL=1; do
	for ((stop = 1;; stop++)); do
		cp begun disk
		got=0
		env LD_PRELOAD="$work/stop.so" STOP=$stop ${fail:+"$fail"} "$underseal" reseal "${from[@]}" >log2 2>&1 || got=$?
		[ $got != 0 ] || break
		[ $got = "$([ "$fail" ] && echo 1 || echo 99)" ] || { cat log2; fail "exit code $got"; }
		opens key 0 || fail "the passphrase does not open what write $stop left"
		stock_opens || { cat stock; fail "the TPM does not open what write $stop left"; }
		again && stock_opens || { cat log2; fail "not again after write $stop"; }
		copies
	done
	[ "$stop" -gt 12 ] || fail "only $stop writes"
done
stock_opens || fail "in the end"
keys 'sorted(s), len(t)' '[0, 2] 3'
stop
