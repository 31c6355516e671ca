# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that use keys in an HSM: SoftHSM, whose module p11-kit knows, with tokens in this folder.
export SOFTHSM2_CONF=$work/softhsm2.conf
mkdir hsm
printf 'directories.tokendir = %s/hsm\nobjectstore.backend = file\nlog.level = ERROR\n' "$work" >softhsm2.conf
printf '123456\n' >pin
printf '654321\n' >wrong-pin

# hsm_token NAME: a new token.
hsm_token() {
	softhsm2-util --init-token --free --label "$1" --so-pin 12345678 --pin 123456 >/dev/null
}

# hsm TOKEN ARGUMENTS...: pkcs11-tool, logged in.
hsm() {
	local token=$1
	shift
	pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label "$token" --login --pin 123456 "$@" >hsm.log 2>&1 ||
		{ cat hsm.log; fail "pkcs11-tool $*"; }
}

# hsm_key TOKEN NAME ID USAGE: the private key of NAME.key.
hsm_key() {
	openssl pkey -in "$2.key" -outform DER -out "$2.key.der"
	hsm "$1" --write-object "$2.key.der" --type privkey --id "$3" --label "key of $2" "--usage-$4"
}

# hsm_certificate TOKEN NAME ID: NAME.pem.
hsm_certificate() {
	openssl x509 -in "$2.pem" -outform DER -out "$2.der"
	hsm "$1" --write-object "$2.der" --type cert --id "$3" --label "certificate of $2"
}
