#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroll and remove end in the middle of every single write, and fail at it: the disk still opens, and again does it.
header_mib=1
source tests/host/keys.bash
source "$root/tests/host/stop.bash"
printf 'battery staple' >key2
enroll=("$underseal" enroll disk "${cheap[@]}" --passphrase --new-passphrase-file wrong)
remove=("$underseal" remove disk 1 --passphrase-file pass)

# each COMMAND...: stops and fails it at each of its writes; then the first key opens, and the same command ends it or has nothing to do.
each() {
	local fail= stop=1 got
	cp disk begun
	for fail in '' FAIL=1; do
		for ((stop = 1;; stop++)); do
			cp begun disk
			got=0
			env LD_PRELOAD="$work/stop.so" STOP=$stop ${fail:+"$fail"} "$@" >log 2>&1 || got=$?
			[ $got != 0 ] || break
			[ $got = "$([ "$fail" ] && echo 1 || echo 99)" ] || { cat log; fail "exit code $got"; }
			opens key 0 || fail "the first key does not open what write $stop left"
			"$underseal" status disk >/dev/null || fail "write $stop left a header that cannot be used"
			[ "$2" = remove ] || ! "$underseal" list disk | grep 'slot 1' >/dev/null || opens key2 1 ||
				fail "write $stop left a slot without its key"
			if ! "$@" 2>log; then
				grep -q 'has no key slot 1' log || { cat log; fail "not again after write $stop"; }
				"${enroll[@]}" 2>log || fail "no further change after write $stop"
			fi
			copies
		done
		[ "$stop" -gt 6 ] || fail "only $stop writes"
	done
}

echo "== enroll"
each "${enroll[@]}"
opens key2 1 || fail "the new key"
echo "== remove"
each "${remove[@]}"
! opens key2 || fail "the removed key"
