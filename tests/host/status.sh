#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# status TARGET in every state a header can be in; both its table and its JSON.
source tests/host/common.bash
header_at=1048576 # bytes; the header partition follows the GPT

# json EXPRESSION: the value of a Python expression over the report `r` and its first volume `v`.
json() {
	$underseal status disk --json 2>/dev/null >report || true
	/usr/bin/python3 -c "
import json
r = json.load(open('report'))
v = r['volumes'][0] if r['volumes'] else None
print($1)"
}

# is EXPRESSION VALUE
is() {
	local value
	value=$(json "$1")
	[ "$value" = "$2" ] || fail "$1 is $value, not $2"
}

zeroes() { dd if=/dev/zero of=disk bs=4096 seek=$((($1) / 4096)) count=1 conv=notrunc status=none; }

echo "== nothing is protected"
$mkgpt disk 26 512 linux:17408:-
expect 0 '0 protected partitions' "$underseal" status disk
is 'r["volumes"]' '[]'

echo "== encrypting"
cp disk original
for wait in 8 4 2 12 16 1 20; do
	cp original disk
	/usr/bin/python3 "$here/killer.py" '%  ' $wait "$underseal" protect disk --partition 1 --offline "${cheap[@]}" \
		--zone-size 1 2>log || true
	[ "$(json 'v["state"]')" = encrypting ] && break
done
is 'v["state"]' encrypting
is '0 <= v["done_bytes"] < v["bytes"] and v["done_bytes"] + v["in_doubt_bytes"] <= v["bytes"]' True
expect 0 'underseal protect continues' "$underseal" status disk

echo "== protected"
$underseal protect disk --partition 1 --offline "${cheap[@]}" 2>log
expect 0 'state  *protected' "$underseal" status disk
is 'v["state"], v["partition"], v["header_partition"], v["bounds"]' 'protected 1 2 match'
is 'v["cipher"], v["sector_size"], r["lba_size"]' 'aes-xts-plain64 512 512'
is '[s["kdf"] for s in v["keyslots"]], [t["type"] for t in v["tokens"]]' "['argon2id'] ['underseal']"
is 'v["header_copies"]' "{'primary': 'valid', 'secondary': 'valid'}"
dd if=disk of=header bs=1M skip=1 count=16 status=none
is 'v["uuid"]' "$(cryptsetup luksUUID header)"
cp disk good

echo "== damaged headers"
zeroes $header_at
expect 0 'primary copy damaged, secondary copy valid' "$underseal" status disk
is 'v["state"]' protected
zeroes $header_at+16384
expect 1 'both copies of the header' "$underseal" status disk
is 'v["state"]' unreadable
expect 1 'both copies of the header' "$underseal" protect disk --partition 1 --offline "${cheap[@]}"
cp good disk
zeroes $header_at+16384
expect 0 'primary copy valid, secondary copy damaged' "$underseal" status disk

echo "== a partition that is no longer the one"
cp good disk
uuid=$(sgdisk -i 1 disk | sed -n 's/^Partition unique GUID: //p')
sgdisk -d 1 -n 1:34816:40000 -u "1:$uuid" disk >/dev/null
expect 1 'NOT those of the partition table' "$underseal" status disk
is 'v["bounds"]' mismatch
sgdisk -d 1 disk >/dev/null
expect 1 'not on this disk' "$underseal" status disk
is 'v["state"]' orphan

echo "== usage"
expect 2 'does not take' "$underseal" status disk another
expect 3 'no GPT' "$underseal" status header
