#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroll --pkcs11: systemd's own plug-in of stock cryptsetup opens the slot with the HSM and its PIN, and what the
# token could not open is never written.
source tests/host/escrow.bash
source "$here/hsm.bash"
certificate curve ec -pkeyopt ec_paramgen_curve:P-256
hsm_token card
hsm_key card one 01 decrypt
hsm_certificate card one 01
hsm_token large
hsm_key large two 0a decrypt
openssl pkey -in two.key -pubout -outform DER -out two.pub
hsm large --write-object two.pub --type pubkey --id 0a
hsm_token odd
hsm_certificate odd one 01 # without a key
hsm_key odd one 02 decrypt
hsm_certificate odd two 02 # not of that key
hsm_certificate odd curve 03
enroll=("$underseal" enroll disk --passphrase-file pass --pin-file pin)
cp disk bare

# plugged SLOT PIN: whether stock cryptsetup opens the slot by its token, with systemd's plug-in.
plugged() {
	header_out
	printf '%s' "$2" | cryptsetup open --test-passphrase --token-only --token-type systemd-pkcs11 --key-slot "$1" header 2>/dev/null
}

echo "== a key with a certificate, a larger one without"
expect 0 'slot 1 of partition 1 is new' "${enroll[@]}" --pkcs11 pkcs11:token=card
expect 0 'slot 2 of partition 1 is new' "${enroll[@]}" --pkcs11 'pkcs11:token=large;id=%0a'
for slot in 1 2; do
	plugged $slot 123456 || fail "systemd's plug-in does not open slot $slot"
	! plugged $slot 654321 || fail "any PIN opens slot $slot"
done
opens key 0 || fail "the passphrase"
copies
keys '[(s[n]["kind"], s[n]["kdf"], s[n]["passes"]) for n in (1, 2)]' "[('smartcard', 'pbkdf2', 1000), ('smartcard', 'pbkdf2', 1000)]"
keys '[(t[n]["type"], t[n]["keyslots"]) for n in (1, 2)]' "[('systemd-pkcs11', [1]), ('systemd-pkcs11', [2])]"

echo "== what is in the token"
# passphrase TOKEN-NUMBER TOKEN ID: decrypted by the HSM alone, in base64.
passphrase() {
	cryptsetup token export --token-id "$1" header >token.json
	/usr/bin/python3 -c 'import base64, json; open("wrapped", "wb").write(base64.b64decode(json.load(open("token.json"))["pkcs11-key"]))'
	hsm "$2" --decrypt --mechanism RSA-PKCS --id "$3" --input-file wrapped --output-file random
	base64 -w0 random >passphrase
}
passphrase 1 card 01
[ "$(stat -c %s random)" = 128 ] && opens passphrase 1 || fail "the key of slot 1"
grep -q '"pkcs11-uri": *"pkcs11:model=SoftHSM.*;token=card;id=%01"' token.json || { cat token.json; fail "the URI"; }
passphrase 2 large 0a
[ "$(stat -c %s random)" = 192 ] && opens passphrase 2 || fail "the key of slot 2"
"${enroll[@]}" --pkcs11 'pkcs11:token=card;type=private;pin-value=123456' 2>log || { cat log; fail "a URI of a private key"; }
header_out
! cryptsetup token export --token-id 3 header | grep -qE 'type=|pin' || fail "a type or a PIN in the URI"
passphrase 3 card 01
! opens passphrase 1 || fail "the same key twice"

echo "== removed with its token"
expect 0 'is removed' "$underseal" remove disk 1 --passphrase-file pass
keys 'list(s), list(t)' '[0, 2, 3] [0, 2, 3]'
cp bare disk

echo "== what the token cannot open"
untouched 1 'does not show the private key' "${enroll[@]}" --pkcs11 'pkcs11:token=odd;id=%01'
untouched 1 'the token does not unwrap' "${enroll[@]}" --pkcs11 'pkcs11:token=odd;id=%02'
untouched 3 'shows no RSA key' "${enroll[@]}" --pkcs11 'pkcs11:token=odd;id=%03'
untouched 3 'shows no RSA key' "${enroll[@]}" --pkcs11 'pkcs11:token=card;id=%77'
untouched 3 'several RSA keys' "${enroll[@]}" --pkcs11 pkcs11:token=odd
untouched 4 'wrong PIN' "$underseal" enroll disk --passphrase-file pass --pin-file wrong-pin --pkcs11 pkcs11:token=card
untouched 4 'wrong passphrase' "$underseal" enroll disk --passphrase-file wrong --pin-file pin --pkcs11 pkcs11:token=card
untouched 3 'there is no token' "${enroll[@]}" --pkcs11 pkcs11:token=nowhere
untouched 2 'no PKCS #11 URI' "${enroll[@]}" --pkcs11 card
untouched 2 'one kind of key at a time' "${enroll[@]}" --pkcs11 pkcs11:token=card --recovery-key
untouched 2 'pin-file goes with --tpm2 and --pkcs11' "${enroll[@]}" --recovery-key
untouched 2 'no terminal' setsid -w "$underseal" enroll disk --passphrase-file pass --pkcs11 pkcs11:token=card
opens key 0 || fail "the passphrase"
