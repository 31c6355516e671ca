#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# list: the kind of each key slot and what each TPM token binds, of a header that stock tools have changed.
source tests/host/keys.bash

echo "== what protect makes"
expect 0 '^  slot 0 *passphrase, argon2id, [0-9]* passes, 64 KiB of memory$' "$underseal" list disk
keys '[(i["id"], i["kind"], i["kdf"]) for i in s.values()]' "[(0, 'passphrase', 'argon2id')]"
keys '[(i["type"], i["keyslots"]) for i in t.values()]' "[('underseal', [])]"
keys 'r["partition"], r["header_partition"]' '1 2'

# token SLOT TYPE FIELDS: a slot with a key of its own, and a token of that type.
token() {
	printf 'key of %s' "$1" >other
	cryptsetup -q luksAddKey --key-file key --key-slot "$1" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 header other
	printf '{"type":"%s","keyslots":["%s"]%s}' "$2" "$1" "$3" >token.json
	cryptsetup token import --json-file token.json header
}
blob='"tpm2-blob":"AAAA","tpm2-policy-hash":"00","tpm2-primary-alg":"ecc"'
header_out
token 1 systemd-recovery ''
token 2 systemd-tpm2 ',"tpm2-pcrs":[7,12],"tpm2-pcr-bank":"sha256","tpm2-pin":true,'"$blob"
token 3 systemd-tpm2 ',"tpm2-pcrs":[7],"tpm2-pcr-bank":"sha1",'"$blob"
token 4 systemd-pkcs11 ',"pkcs11-uri":"pkcs11:x","pkcs11-key":"AAAA"'
token 5 nobody ''
fingerprint=$(printf '%064d' 7)
printf '{"type":"underseal-escrow","keyslots":[],"certificates":["\\u001b[2J","%s",5]}' "$fingerprint" |
	cryptsetup token import --json-file - header
header_in

echo "== the kinds"
keys '[s[i]["kind"] for i in range(6)]' "['passphrase', 'recovery-key', 'tpm2', 'tpm2', 'smartcard', 'other']"
keys 's[1]["kdf"], s[1]["passes"]' 'pbkdf2 1000'
expect 0 '^  slot 1 *recovery key, pbkdf2, 1000 passes$' "$underseal" list disk
expect 0 'slot 2 .*TPM 2.0' "$underseal" list disk
expect 0 'slot 4 .*smartcard' "$underseal" list disk
expect 0 '2 *TPM 2.0, pbkdf2' "$underseal" status disk

echo "== what a TPM token binds"
keys '[[(i["bank"], i["pcrs"], i["pin"], i["weak"]) for i in t.values() if i["keyslots"] == [n]] for n in (2, 3)]' \
	"[[('sha256', [7, 12], True, False)], [('sha1', [7], False, True)]]"
expect 0 'systemd-tpm2, opens slot 2, bank sha256, PCR 7 12, with PIN$' "$underseal" list disk
expect 0 'systemd-tpm2, opens slot 3, bank sha1, PCR 7, no PIN, weak' "$underseal" list disk

echo "== an escrow"
keys '[i["certificates"] for i in t.values() if i["type"] == "underseal-escrow"]' "[['$fingerprint']]"
expect 0 "underseal-escrow, volume key for certificate ${fingerprint:0:16}\$" "$underseal" list disk
! grep -q $'\x1b' out || fail "it writes to the terminal what the header says"

echo "== which partition"
expect 2 'list takes one TARGET' "$underseal" list
expect 2 'unrecognized option' "$underseal" list disk --force
expect 2 'from 1 to 256' "$underseal" list disk --partition 0
expect 0 'partition 1, header in partition 2' "$underseal" list disk --partition 1
expect 3 'no partition 9' "$underseal" list disk --partition 9
expect 3 'partition 2 of disk is not protected' "$underseal" list disk --partition 2
expect 1 'No such file' "$underseal" list nowhere
expect 3 'no GPT' "$underseal" list header
$mkgpt bare 8 512 linux:1024:-
expect 3 'no protected partition' "$underseal" list bare
$mkgpt two 30 512 linux:5120:8192 linux:17408:-
for number in 1 2; do
	"$underseal" protect two --partition $number --offline "${cheap[@]}" --header-size 1 2>log
done
expect 3 'partition N is missing: two has several' "$underseal" list two
expect 0 'partition 2, header in' "$underseal" list two --partition 2

echo "== a damaged header"
dd if=/dev/zero of=disk bs=4096 seek=$((header_at * 256)) count=1 conv=notrunc status=none
keys 'len(s)' 6
dd if=/dev/zero of=disk bs=4096 seek=$((header_at * 256 + 4)) count=1 conv=notrunc status=none
expect 1 'both copies of the header' "$underseal" list disk
