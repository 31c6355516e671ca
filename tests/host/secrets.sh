#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# When protect, enroll or remove ends, whichever way, neither passphrase nor volume key is left anywhere in its memory.
source tests/host/common.bash
source "$root/tests/host/memory.bash"

printf 'a passphrase that nobody else has\n' >pass
$mkgpt disk 26 512 linux:17408:-
openssl req -x509 -nodes -newkey rsa:2048 -keyout officer.key -out officer.pem -subj /CN=officer 2>/dev/null
command=("$underseal" protect disk --partition 1 --offline "${cheap[@]}" --zone-size 1 --escrow officer.pem --escrow-file first)

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
command=("$underseal" enroll disk --passphrase-file pass --escrow officer.pem --escrow-file escrow)
left 0 pass volume-key
source "$here/hsm.bash"
hsm_token officer
hsm_key officer officer 01 decrypt
hsm_certificate officer officer 01
cp disk disk-before
command=("$underseal" escrow recover escrow --pin-file pin --pkcs11 pkcs11:token=officer disk)
left 0 volume-key
grep -xE '([a-z]{8}-){7}[a-z]{8}' out >recovery-officer
/usr/bin/python3 search.py memory recovery-officer
mv disk-before disk
command=("$underseal" escrow recover escrow --pin-file pin --pkcs11 pkcs11:token=officer --print-volume-key)
left 0 volume-key
xxd -p -c 64 volume-key >volume-key-text
/usr/bin/python3 search.py memory volume-key-text
cp disk disk-before
command=("$underseal" rotate disk --passphrase-file pass --escrow officer.pem --escrow-file rotated)
left 0 pass volume-key
grep -xE '([a-z]{8}-){7}[a-z]{8}' out >recovery-rotated
/usr/bin/python3 search.py memory recovery-rotated
mv disk-before disk
command=("$underseal" enroll disk --passphrase-file pass --pin-file pin --pkcs11 pkcs11:token=officer)
left 0 pass volume-key
dd if=disk of=header bs=1M skip=1 count=16 status=none
cryptsetup luksDump --dump-json-metadata header | /usr/bin/python3 -c '
import base64, json, sys
keys = [t["pkcs11-key"] for t in json.load(sys.stdin)["tokens"].values() if "pkcs11-key" in t]
open("wrapped", "wb").write(base64.b64decode(keys[0]))'
hsm officer --decrypt --mechanism RSA-PKCS --id 01 --input-file wrapped --output-file random
base64 -w0 random >random-text
/usr/bin/python3 search.py memory random random-text
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
