#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# protect, on disks of both sector sizes and with ciphers of both; stock tools judge the result.
source tests/host/common.bash

echo "== sectors of 512 bytes, a last partition of odd length, 16 MiB header in free space"
$mkgpt disk 26 512 esp:1024:1024 linux:20480:-
cp disk original
$underseal protect disk --partition 2 --offline "${cheap[@]}" --zone-size 1
$judge disk original 2 pass 512
sgdisk -v disk | grep -q 'No problems' || fail "sgdisk finds problems"

echo "== cipher sectors of 4096 bytes, header in the gap before the first partition"
$mkgpt disk 10 512 linux:1024:6144 linux:7168:-
cp disk original
$underseal protect disk --partition 1 --offline "${cheap[@]}" --sector-size 4096 --zone-size 1
$judge disk original 1 pass 4096
[ "$(sgdisk -i 3 disk | sed -n 's/^First sector: \([0-9]*\).*/\1/p')" = 40 ] || fail "header not in the gap"

echo "== a disk with sectors of 4096 bytes, header of 2 MiB"
$mkgpt disk 12 4096 linux:6144:-
cp disk original
$underseal protect disk --partition 1 --offline "${cheap[@]}" --header-size 2
$judge disk original 1 pass 4096
