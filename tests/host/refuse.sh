#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What protect will not do: each refusal has its exit code and its sentence, and leaves the disk as it was.
source tests/host/common.bash

# untouched CODE TEXT ARGUMENT...: protect refuses and not a byte changes.
untouched() {
	local code=$1 text=$2
	shift 2
	sha256sum disk >before
	expect "$code" "$text" "$underseal" protect "$@"
	sha256sum --quiet -c before || fail "the disk was changed by: protect $*"
}

echo "== the command line"
$mkgpt disk 8 512 esp:1024:512 linux:2048:2048 linux:4096:-
untouched 2 'partition N is missing' disk --offline "${cheap[@]}"
untouched 3 'offline is missing' disk --partition 2 "${cheap[@]}"
untouched 2 '512 or 4096' disk --partition 2 --offline "${cheap[@]}" --sector-size 1024
untouched 2 'from 1 to 128' disk --partition 2 --offline "${cheap[@]}" --header-size 0
untouched 2 'from 1 to 256' disk --partition two --offline "${cheap[@]}"
untouched 2 'takes one TARGET' --partition 2 --offline "${cheap[@]}"
untouched 2 'unrecognized option' disk --partition 2 --offline --force
untouched 1 'No such file' nowhere --partition 2 --offline "${cheap[@]}"
untouched 2 'neither a block device' /dev/null --partition 2 --offline "${cheap[@]}"
expect 2 'no command' "$underseal" encrypt disk
expect 2 'Usage' "$underseal"
expect 0 'Exit codes' "$underseal" --help
expect 0 '^underseal [0-9]*\.[0-9]*\.[0-9]*$' "$underseal" --version

echo "== the passphrase"
untouched 1 'No such file' disk --partition 2 --offline --passphrase-file missing
: >empty
untouched 1 'is empty' disk --partition 2 --offline --passphrase-file empty
head -c 600 /dev/zero >long
untouched 1 'more than 511 bytes' disk --partition 2 --offline --passphrase-file long
expect 2 'no terminal' setsid -w "$underseal" protect disk --partition 2 --offline

echo "== the partition"
untouched 3 'no partition 7' disk --partition 7 --offline "${cheap[@]}"
untouched 3 'EFI system partition' disk --partition 1 --offline "${cheap[@]}"
untouched 3 'not both are multiples of 4096' disk --partition 3 --offline "${cheap[@]}" --sector-size 4096
untouched 3 'no free space' disk --partition 2 --offline "${cheap[@]}" --header-size 16
printf 'LUKS\xba\xbe' | dd of=disk bs=1M seek=2 conv=notrunc status=none
untouched 3 'holds a LUKS header' disk --partition 2 --offline "${cheap[@]}"
$mkgpt disk 8 4096 linux:4096:-
untouched 3 'sectors are of 4096 bytes' disk --partition 1 --offline "${cheap[@]}" --sector-size 512
$mkgpt disk 8 512 linux:20:-
untouched 3 'no free space' disk --partition 1 --offline "${cheap[@]}"

echo "== the table"
head -c 4M /dev/urandom >disk
untouched 3 'no GPT' disk --partition 1 --offline "${cheap[@]}"

echo "== already protected, or protected as something else"
$mkgpt disk 8 512 linux:4096:2048
$underseal protect disk --partition 1 --offline "${cheap[@]}" --header-size 1 2>/dev/null
untouched 3 'protected already' disk --partition 1 --offline "${cheap[@]}"
untouched 3 'header partition of underseal' disk --partition 2 --offline "${cheap[@]}"
uuid=$(sgdisk -i 1 disk | sed -n 's/^Partition unique GUID: //p')
sgdisk -d 1 -n 1:8192:12286 -u "1:$uuid" disk >/dev/null
untouched 3 'moved or resized' disk --partition 1 --offline "${cheap[@]}"

echo "== in use"
$mkgpt disk 8 512 linux:4096:2048
lock_image
untouched 3 'another program has locked' disk --partition 1 --offline "${cheap[@]}"
unlock_image
if loop=$(losetup -f --show disk 2>/dev/null); then
	expect 3 'a loop device stands on the image' "$underseal" protect disk --partition 1 --offline "${cheap[@]}" ||
		{ losetup -d "$loop"; exit 1; }
	losetup -d "$loop"
fi
