#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tokens of stock systemd-cryptenroll that bind PCR 7 and whatever PCR 12 somebody has signed: the boot program's code
# opens them in each signed state, and says what is missing in another one.
source tests/host/tpm2.bash
printf 'tries=6\n' >conf2

# pcr12 CONF: what PCR 12 holds at the start with that policy file.
pcr12() {
	{ head -c 32 /dev/zero; sha256sum <"$1" | cut -d' ' -f1 | xxd -r -p; } | sha256sum | cut -d' ' -f1
}

# told TEXT [FILE]: what the boot program's code says of the only token, with the signatures in FILE.
told() {
	SIGNATURES=${2:-signatures} told_by_boot 0 | grep -q "$1" || { SIGNATURES=${2:-signatures} told_by_boot 0; fail "no \"$1\""; }
}

for bits in 2048 3072; do
	echo "== a key of $bits bits"
	openssl genrsa -out private $bits 2>/dev/null
	openssl rsa -in private -pubout -out public 2>/dev/null
	start conf secure
	cp disk begun
	header_out
	PASSWORD='correct horse' systemd-cryptenroll --tpm2-device="$tpm" --tpm2-public-key=public --tpm2-public-key-pcrs=12 \
		--tpm2-pcrs=7 header >log2
	header_in
	keys 't[1]["pcrs"], t[1]["signed_pcrs"], t[1]["weak"]' '[7] [12] False'
	"$underseal" list disk | grep -q 'PCR 7, signed PCR 12, no PIN$' || fail "list"
	start conf secure
	told 'No valid signature is there' /dev/null
	told 'No valid signature is there' missing
	/usr/bin/python3 "$here/sign_pcrs.py" private other "12=$(pcr12 conf2)"
	told 'No valid signature is there' other
	/usr/bin/python3 "$here/sign_pcrs.py" private signatures "12=$(pcr12 conf2)" "12=$(pcr12 conf)"
	told unsealed
	SIGNATURES=signatures CLEAR=1 told_by_boot 0 | grep -q unsealed || fail "in clear"

	echo "== another signed policy file, then other keys of Secure Boot"
	start conf2 secure
	told unsealed
	start conf2 closed
	told 'measured state'

	echo "== another signer, and a signature that is none"
	start conf secure
	openssl genrsa -out private2 $bits 2>/dev/null
	/usr/bin/python3 "$here/sign_pcrs.py" private2 other "12=$(pcr12 conf)"
	told 'No valid signature is there' other
	/usr/bin/python3 -c '
import json
text, other = json.load(open("signatures")), json.load(open("other"))
text["sha256"][1]["sig"] = other["sha256"][0]["sig"]
json.dump(text, open("forged", "w"))'
	told 'No valid signature is there' forged
	expect 3 'no TPM token that could be renewed' "$underseal" reseal disk --passphrase-file pass
	mv begun disk
done
stop
