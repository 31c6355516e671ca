# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the underseal command: small disks, cheap key derivation, one judge.
set -euo pipefail
make -s tool T= >/dev/null
underseal=$PWD/build/underseal
judge="/usr/bin/python3 $PWD/tests/host/judge.py"
mkgpt="/usr/bin/python3 $PWD/tests/host/mkgpt.py"
here=$PWD/tests/host
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'correct horse\n' >pass
printf 'battery staple\n' >wrong
cheap=(--passphrase-file pass --pbkdf-memory 64 --iter-time 1)

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# expect CODE TEXT COMMAND...: the command's exit code, and words of its message.
expect() {
	local code=$1 text=$2 got=0
	shift 2
	"$@" >out 2>&1 </dev/null || got=$?
	[ $got = "$code" ] || { cat out; fail "exit code $got instead of $code from: $*"; }
	grep -qe "$text" out || { cat out; fail "no \"$text\" from: $*"; }
}
