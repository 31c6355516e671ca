# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of key slots: a protected disk, and stock cryptsetup on its header.
source tests/host/common.bash
header_at=1 header_mib=${header_mib:-16} # the header partition follows the GPT, MiB

$mkgpt disk 26 512 linux:17408:-
"$underseal" protect disk --partition 1 --offline "${cheap[@]}" --header-size "$header_mib" 2>log
printf 'correct horse' >key # as cryptsetup's key files are: without a newline

# header_out, header_in: between the disk and the file `header`, on which stock cryptsetup works.
header_out() { dd if=disk of=header bs=1M skip=$header_at count=$header_mib status=none; }
header_in() { dd if=header of=disk bs=1M seek=$header_at conv=notrunc status=none; }

# opens KEY-FILE [SLOT]: whether stock cryptsetup opens the disk's header with it.
opens() {
	header_out
	cryptsetup -q open --test-passphrase --key-file "$1" ${2:+--key-slot "$2"} header 2>/dev/null
}

# keys EXPRESSION VALUE: a Python expression over the report `r` of list, its slots `s` and tokens `t`, by number.
keys() {
	local value
	"$underseal" list disk --json >report || fail "list --json"
	value=$(/usr/bin/python3 -c "
import json
r = json.load(open('report'))
s, t = ({i['id']: i for i in r[n]} for n in ('keyslots', 'tokens'))
print($1)")
	[ "$value" = "$2" ] || fail "$1 is $value, not $2"
}

# untouched CODE TEXT COMMAND...: it refuses and not a byte changes.
untouched() {
	sha256sum disk >before
	expect "$@"
	sha256sum --quiet -c before || fail "the disk was changed by: $*"
}

# copies: both copies of the header are whole.
copies() {
	"$underseal" status disk | grep -q 'primary copy valid, secondary copy valid' || fail "copies of the header"
}
