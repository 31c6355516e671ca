#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A disk behind VMD, a RAID controller or RST remapping , or on one that is not AHCI, is recognised in sysfs, here in small copies of it.
source tests/host/common.bash
cat >ask.c <<'END'
#include "installer/remap.h"
#include <stdio.h>
int main(int count, char **words)
{
	const char *reason = remap_reason(words[1], words[2]);

	(void)count;
	puts(reason ? reason : "fine");
	return 0;
}
END
gcc -std=gnu11 -O1 -g -I"$root" -D_GNU_SOURCE -fsanitize=address,undefined -o ask ask.c "$root/installer/remap.c"

# tree NAME CLASS DRIVER REMAPPED: a disk 8:0 below a PCI device.
tree() {
	local device=$1/devices/pci0000:00/0000:00:17.0
	mkdir -p "$device/ata1/host0/block/sda" "$1/dev/block" "$1/drivers/$3"
	echo "$2" >"$device/class"
	[ -z "$4" ] || echo "$4" >"$device/remapped_nvme"
	ln -s "../../../drivers/$3" "$device/driver"
	ln -s ../../devices/pci0000:00/0000:00:17.0/ata1/host0/block/sda "$1/dev/block/8:0"
}
tree ahci 0x010601 ahci ''
tree ahci-without 0x010601 ahci 0
tree remapped 0x010601 ahci 1
tree raid 0x010400 ahci ''
tree vmd 0x010400 vmd ''
tree nvme 0x010802 nvme ''
expect 0 '^fine$' ./ask ahci dev/block/8:0
expect 0 '^fine$' ./ask ahci-without dev/block/8:0
expect 0 'not on an AHCI' ./ask nvme dev/block/8:0
expect 0 '^fine$' ./ask nvme dev/block/8:16
expect 0 'remapped NVMe disks' ./ask remapped dev/block/8:0
expect 0 'RAID controller' ./ask raid dev/block/8:0
expect 0 'Intel VMD' ./ask vmd dev/block/8:0
