# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of key escrow: a protected disk, its volume key, and certificates of officers.
source tests/host/keys.bash
header_out
cryptsetup -q luksDump --dump-volume-key --volume-key-file volume-key --key-file key header >/dev/null
[ "$(stat -c %s volume-key)" = 64 ] || fail "the volume key"

# certificate NAME KEY-ARGUMENTS...: NAME.pem and NAME.key, for anything.
certificate() {
	local name=$1
	shift
	openssl req -x509 -nodes -newkey "$@" -keyout "$name.key" -out "$name.pem" -days 9 -subj "/O=Acme/CN=$name" 2>/dev/null
}
certificate one rsa:2048
certificate two rsa:3072

# unwrapped NAME FILE: what stock openssl gives the holder of NAME.key: the volume key, and the record behind it.
unwrapped() {
	openssl cms -decrypt -binary -inform PEM -in "$2" -recip "$1.pem" -inkey "$1.key" -out plain 2>/dev/null || return 1
	head -c 64 plain | cmp -s - volume-key || fail "another volume key for $1"
	sed '/-----BEGIN CMS/,$d' "$2" >outside
	tail -c +65 plain | cmp -s - outside || fail "the record inside is another one"
}
