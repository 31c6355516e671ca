#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# When protect, enroll or remove ends, whichever way, neither passphrase nor volume key is left anywhere in its memory.
source tests/host/common.bash
source "$root/tests/host/memory.bash"

printf 'a passphrase that nobody else has\n' >pass
$mkgpt disk 26 512 linux:17408:-
command=("$underseal" protect disk --partition 1 --offline "${cheap[@]}" --zone-size 1)

echo "== the search finds what is there"
printf '%s' DUMP= >present
left 0 pass
! /usr/bin/python3 search.py memory present 2>/dev/null || fail "it finds nothing"

echo "== done"
dd if=disk of=header bs=1M skip=1 count=16 status=none
head -c -1 pass >key
cryptsetup -q luksDump --dump-volume-key --volume-key-file volume-key --key-file key header >/dev/null
/usr/bin/python3 search.py memory pass volume-key

echo "== refused"
left 3 pass volume-key

echo "== enrolled"
printf 'another passphrase that nobody has\n' >new
command=("$underseal" enroll disk "${cheap[@]}" --passphrase --new-passphrase-file new)
left 0 pass new volume-key
command=("$underseal" enroll disk "${cheap[@]}" --recovery-key)
left 0 pass volume-key
grep -xE '([a-z]{8}-){7}[a-z]{8}' out >recovery
/usr/bin/python3 search.py memory recovery
command=("$underseal" enroll disk --passphrase-file wrong --recovery-key)
left 4 wrong
command=("$underseal" enroll disk "${cheap[@]}" --passphrase --new-passphrase-file missing)
left 1 pass volume-key
command=("$underseal" remove disk 1 --passphrase-file recovery)
left 0 recovery volume-key
command=("$underseal" remove disk 2 --passphrase-file recovery)
left 4 recovery volume-key

echo "== wrong passphrase while encrypting"
$mkgpt disk 26 512 linux:17408:-
command=("$underseal" protect disk --partition 1 --offline "${cheap[@]}" --zone-size 1)
for wait in 1 4 8 2 6; do
	/usr/bin/python3 "$here/killer.py" '%  ' $wait "${command[@]}" 2>log && fail "too fast to kill"
	grep -q 'protected' log || break
done
cp wrong "$work/other"
cheap=(--passphrase-file other)
command=("$underseal" protect disk --partition 1 --offline --passphrase-file other)
left 4 other
