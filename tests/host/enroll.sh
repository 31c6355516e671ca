#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroll: stock cryptsetup opens the disk with what it has added, and what it refuses leaves the disk as it was.
source tests/host/keys.bash
printf 'battery staple' >key2
enroll=("$underseal" enroll disk "${cheap[@]}")

echo "== a passphrase"
header_out
cryptsetup luksDump --dump-json-metadata header >json-before
expect 0 'slot 1 of partition 1 is new' "${enroll[@]}" --passphrase --new-passphrase-file wrong
opens key && opens key2 1 || fail "stock cryptsetup does not open it"
! opens key2 0 || fail "slot 0 was changed"
keys 's[1]["kind"], s[1]["kdf"], s[1]["memory_kib"], len(t)' 'passphrase argon2id 64 1'
copies
cryptsetup luksDump --dump-json-metadata header >json-after
/usr/bin/python3 - <<'END'
import json
a, b = (json.load(open("json-" + n)) for n in ("before", "after"))
del b["keyslots"]["1"]
b["digests"]["0"]["keyslots"].remove("1")
assert a == b, "more than the slot was changed"
END

echo "== a recovery key"
"${enroll[@]}" --recovery-key >shown 2>log
grep -qxE '([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}' shown || fail "its form"
[ "$(wc -l <shown)" = 1 ] || fail "not shown exactly once"
! grep -qF "$(cat shown)" log || fail "shown twice"
head -c -1 shown >recovery
opens recovery 2 && opens key 0 && opens key2 1 || fail "stock cryptsetup does not open it"
keys 's[2]["kind"], s[2]["kdf"], s[2]["passes"], t[1]["type"], t[1]["keyslots"]' \
	"recovery-key pbkdf2 1000 systemd-recovery [2]"
cryptsetup luksDump header | grep -A 12 '^  2: luks2' | grep -q 'AF hash: *sha512' || fail "hash of the slot"
copies
"$underseal" enroll disk --passphrase-file shown --recovery-key >shown2 2>log || fail "a recovery key opens nothing"
! cmp -s shown shown2 || fail "the same recovery key twice"
cp disk good

echo "== by stock systemd"
if device=$(losetup -f 2>/dev/null) && [ -b "$device" ] && [ -w "$device" ] && type systemd-cryptenroll >/dev/null 2>&1; then
	header_out
	loop=$(losetup -f --show header)
	trap 'losetup -d "$loop"; rm -rf "$work"' EXIT
	systemd-cryptenroll "$loop" >slots
	PASSWORD=$(cat recovery) systemd-cryptenroll "$loop" --wipe-slot=3 2>/dev/null
	PASSWORD=$(cat recovery) systemd-cryptenroll "$loop" --recovery-key >theirs 2>/dev/null
	sync "$loop"
	losetup -d "$loop"
	trap 'rm -rf "$work"' EXIT
	[ "$(grep -c 'recovery$' slots)" = 2 ] && [ "$(grep -c 'password$' slots)" = 2 ] || { cat slots; fail "systemd's list"; }
	header_in
	keys 's[3]["kind"], s[3]["kdf"], s[3]["passes"]' 'recovery-key pbkdf2 1000'
	"$underseal" enroll disk --passphrase-file theirs --recovery-key >shown2 2>log || fail "systemd's recovery key opens nothing"
	cp good disk
fi

echo "== the command line"
untouched 2 'enroll takes one TARGET' "$underseal" enroll --passphrase
untouched 2 'Give --passphrase, --recovery-key,' "${enroll[@]}"
untouched 2 'one kind of key at a time' "${enroll[@]}" --passphrase --recovery-key
untouched 2 'a recovery key is made' "${enroll[@]}" --recovery-key --new-passphrase-file wrong
untouched 2 'only one of the two' "$underseal" enroll disk --passphrase --passphrase-file - --new-passphrase-file -
untouched 2 'no terminal' setsid -w "${enroll[@]}" --passphrase
untouched 3 'no partition 9' "${enroll[@]}" --recovery-key --partition 9
untouched 3 'partition 2 of disk is not protected' "${enroll[@]}" --recovery-key --partition 2

echo "== the passphrase"
printf 'neither\n' >neither
: >empty
untouched 4 'wrong passphrase' "$underseal" enroll disk --recovery-key --passphrase-file neither
untouched 1 'is empty' "${enroll[@]}" --passphrase --new-passphrase-file empty
untouched 1 'No such file' "${enroll[@]}" --passphrase --new-passphrase-file missing
expect 1 'could not be shown: remove slot 4' bash -c '"$@" >/dev/full' . "${enroll[@]}" --recovery-key
cp good disk

echo "== no room"
header_out
for slot in $(seq 4 31); do
	cryptsetup -q luksAddKey --key-file key --key-slot "$slot" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 header key2
done
header_in
untouched 3 'all 32 key slots are in use' "${enroll[@]}" --recovery-key
$mkgpt small 12 512 linux:4096:2048
"$underseal" protect small --partition 1 --offline "${cheap[@]}" --header-size 1 2>log
mv small disk
header_mib=1
while "${enroll[@]}" --recovery-key >shown 2>log; do :; done
untouched 3 'no room for another key slot' "${enroll[@]}" --recovery-key
opens key 0 || fail "the full header"
header_mib=16
cp good disk

echo "== in use"
lock_image
untouched 3 'another program has locked' "${enroll[@]}" --recovery-key
unlock_image

echo "== a header that somebody else changes meanwhile"
mkfifo slow
header_out
cryptsetup -q luksAddKey --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 header key2
"${enroll[@]}" --passphrase --new-passphrase-file slow >out 2>&1 &
enroller=$!
exec 3>slow # it has read the header now
header_in
sha256sum disk >before
echo something >&3
exec 3>&-
code=0
wait $enroller || code=$?
[ $code = 3 ] && grep -q 'somebody else has changed the header' out || { cat out; fail "it was not noticed"; }
sha256sum --quiet -c before || fail "the disk was changed"
cp good disk

echo "== a damaged copy is made good"
dd if=/dev/zero of=disk bs=4096 seek=$((header_at * 256)) count=1 conv=notrunc status=none
expect 0 'is new' "${enroll[@]}" --passphrase --new-passphrase-file neither
copies
cp good disk
dd if=/dev/zero of=disk bs=4096 seek=$((header_at * 256)) count=5 conv=notrunc status=none
untouched 1 'both copies of the header' "${enroll[@]}" --recovery-key

echo "== another partition's header, and a volume that is not finished"
cp good disk
uuid=$(sgdisk -i 1 disk | sed -n 's/^Partition unique GUID: //p')
sgdisk -d 1 -n 1:34816:40000 -u "1:$uuid" disk >/dev/null
untouched 3 'moved or resized' "${enroll[@]}" --recovery-key
for wait in 8 4 2 12 16 1 20; do
	$mkgpt disk 26 512 linux:17408:-
	/usr/bin/python3 "$here/killer.py" '%  ' $wait "$underseal" protect disk --partition 1 --offline "${cheap[@]}" \
		--zone-size 1 2>log || true
	"$underseal" status disk | grep -q encrypting && break
done
untouched 3 'is being encrypted' "${enroll[@]}" --recovery-key
