#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# remove: a slot's key and token are gone from the medium, the rest still opens, and the last one that works stays.
source tests/host/keys.bash
printf 'battery staple' >key2
remove=("$underseal" remove disk)
"$underseal" enroll disk "${cheap[@]}" --passphrase --new-passphrase-file wrong 2>log
"$underseal" enroll disk "${cheap[@]}" --recovery-key >shown 2>log
head -c -1 shown >recovery
cp disk good

# area SLOT: bytes of the key slot's area, as text.
area() {
	header_out
	cryptsetup luksDump --dump-json-metadata header >json
	/usr/bin/python3 -c '
import json, sys
area = json.load(open("json"))["keyslots"][sys.argv[1]]["area"]
print(open("header", "rb").read()[int(area["offset"]):][:int(area["size"])].hex())' "$1"
}

# without SLOT: the header's metadata is what it was, without the slot.
without() {
	cryptsetup luksDump --dump-json-metadata header >json-after
	/usr/bin/python3 - "$1" <<'END'
import json, sys
a, b = json.load(open("json")), json.load(open("json-after"))
del a["keyslots"][sys.argv[1]]
for digest in a["digests"].values():
    digest["keyslots"].remove(sys.argv[1])
a["tokens"] = {n: t for n, t in a["tokens"].items() if t["keyslots"] != [sys.argv[1]]}
for token in a["tokens"].values():
    token["keyslots"] = [n for n in token["keyslots"] if n != sys.argv[1]]
assert a == b, (a, b)
END
}

# gone: fails when a 64-byte piece of the text `area` is still in the disk.
gone() {
	/usr/bin/python3 - <<'END'
area, disk = bytes.fromhex(open("area").read()), open("disk", "rb").read()
pieces = [area[at:at + 64] for at in range(0, len(area), 4096)]
assert len(set(pieces)) > 30, "an empty area"
assert not [p for p in pieces if p in disk], "the slot's key is still on the disk"
END
}

echo "== a passphrase"
area 1 >area
! gone 2>/dev/null || fail "the search finds nothing"
expect 0 'slot 1 of partition 1 is removed' "${remove[@]}" 1 --passphrase-file pass
opens key 0 && opens recovery 2 || fail "what stays does not open it"
! opens key2 || fail "it still opens"
without 1
gone
copies

echo "== a recovery key, with its token"
cp good disk
area 2 >area
expect 0 'slot 2 of partition 1 is removed' "${remove[@]}" 2 --passphrase-file wrong
! opens recovery || fail "it still opens"
opens key && opens key2 || fail "what stays does not open it"
without 2
gone
keys '[i["type"] for i in t.values()]' "['underseal']"

echo "== the first slot, by the recovery key"
cp good disk
expect 0 'is removed' "${remove[@]}" 0 --passphrase-file shown
! opens key || fail "it still opens"
opens recovery 2 || fail "the recovery key"

echo "== the passphrase must be one that stays"
cp good disk
untouched 4 'must be one of a slot that stays' "${remove[@]}" 0 --passphrase-file pass
printf 'neither\n' >neither
untouched 4 'wrong passphrase' "${remove[@]}" 0 --passphrase-file neither
untouched 2 'no terminal' setsid -w "${remove[@]}" 0

echo "== the last one"
expect 0 'is removed' "${remove[@]}" 1 --passphrase-file pass
expect 0 'is removed' "${remove[@]}" 2 --passphrase-file pass
untouched 3 'slot 0 (passphrase) is the only one' "${remove[@]}" 0 --passphrase-file pass
untouched 3 'is the only one' "${remove[@]}" 0 --passphrase-file pass --force

echo "== the last one but a TPM's"
header_out
cryptsetup -q luksAddKey --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-slot 5 header key2
cryptsetup -q luksAddKey --key-file key --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-slot 6 header wrong
cat >token.json <<'END'
{"type":"systemd-tpm2","keyslots":["5"],"tpm2-pcrs":[7,12],"tpm2-blob":"AAAA","tpm2-policy-hash":"00","tpm2-primary-alg":"ecc"}
END
cryptsetup token import --json-file token.json header
printf '{"type":"ours","keyslots":["5","6"]}' | cryptsetup token import --json-file - header
header_in
cp disk tpm
untouched 3 'without slot 0 (passphrase) no passphrase or recovery key' "${remove[@]}" 0 --passphrase-file pass
expect 0 'is removed' "${remove[@]}" 5 --passphrase-file pass
keys 'list(s), [(i["type"], i["keyslots"]) for i in t.values()]' "[0, 6] [('underseal', []), ('ours', [6])]"
cp tpm disk
expect 0 'is removed' "${remove[@]}" 0 --force
! opens key || fail "it still opens"
opens key2 5 || fail "the TPM's slot"
copies

echo "== the command line"
cp good disk
untouched 2 'remove takes a TARGET' "${remove[@]}"
untouched 2 'from 0 to 31, not "32"' "${remove[@]}" 32
untouched 2 'not "one"' "${remove[@]}" one
untouched 3 'has no key slot 7' "${remove[@]}" 7 --passphrase-file pass
untouched 3 'has no key slot 7' "${remove[@]}" 7 --force
untouched 3 'no partition 9' "${remove[@]}" 1 --partition 9

echo "== in use"
lock_image
untouched 3 'another program has locked' "${remove[@]}" 1 --passphrase-file pass
unlock_image

echo "== a header that somebody else changes meanwhile"
mkfifo slow
header_out
cryptsetup -q luksKillSlot --key-file key header 2
"${remove[@]}" 1 --passphrase-file slow >out 2>&1 &
remover=$!
exec 3>slow # it has read the header now
header_in
sha256sum disk >before
cat pass >&3
exec 3>&-
code=0
wait $remover || code=$?
[ $code = 3 ] && grep -q 'somebody else has changed the header' out || { cat out; fail "it was not noticed"; }
sha256sum --quiet -c before || fail "the disk was changed"

echo "== a damaged copy is made good"
cp good disk
dd if=/dev/zero of=disk bs=4096 seek=$((header_at * 256 + 4)) count=1 conv=notrunc status=none
expect 0 'is removed' "${remove[@]}" 1 --passphrase-file pass
copies
