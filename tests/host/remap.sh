#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the hypervisor does not follow is recognised in sysfs, here in small copies of it: disks behind VMD, a RAID
# controller or RST remapping, on other controllers than AHCI, IDE and NVMe, reached in more than one way, with metadata.
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
gcc -std=gnu11 -O1 -g -I"$root" -D_GNU_SOURCE -fsanitize=address,undefined -o ask ask.c "$root"/installer/{remap,node}.c "$root"/storage/ata/supported.c

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
tree ide 0x010180 ata_piix ''
tree sas 0x010700 mpt3sas ''
expect 0 '^fine$' ./ask ahci dev/block/8:0
expect 0 '^fine$' ./ask ahci-without dev/block/8:0
expect 0 '^fine$' ./ask ahci dev/block/8:16
expect 0 '^fine$' ./ask ide dev/block/8:0
expect 0 'neither an AHCI (SATA), an IDE nor an NVMe' ./ask sas dev/block/8:0
while read -r vendor device reason; do
	tree "ide-$vendor-$device" 0x01018f ata ''
	echo "$vendor" >"ide-$vendor-$device/devices/pci0000:00/0000:00:17.0/vendor"
	echo "$device" >"ide-$vendor-$device/devices/pci0000:00/0000:00:17.0/device"
	expect 0 "$reason" ./ask "ide-$vendor-$device" dev/block/8:0
done <<'END'
0x1002 0x4380 turn to AHCI
0x1002 0x4390 turn to AHCI
0x1002 0x439c ^fine$
0x1022 0x7800 turn to AHCI
0x1022 0x780c ^fine$
0x1022 0x7900 turn to AHCI
0x197b 0x2363 turn to AHCI
0x8086 0x2360 ^fine$
END
expect 0 'remapped NVMe disks' ./ask remapped dev/block/8:0
expect 0 'RAID controller' ./ask raid dev/block/8:0
expect 0 'Intel VMD' ./ask vmd dev/block/8:0

# put NAME TEXT: a file of sysfs with the folders it stands in.
put() {
	mkdir -p "$(dirname "$1")"
	echo "$2" >"$1"
}

# An NVMe controller 0000:00:NUMBER.0 of the class and its namespace 1, which is disk 259:0 unless it is a path of one.
controller() {
	device=$1/devices/pci0000:00/0000:00:0$2.0
	put "$device/class" "$3"
	put "$device/nvme/nvme$2/transport" pcie
	mkdir -p "$1/drivers/nvme"
	ln -s ../../../drivers/nvme "$device/driver"
	namespace=$device/nvme/nvme$2/nvme$2n1
}
# What every namespace has, the files of later kernels among them.
namespace() {
	put "$namespace/nsid" 1
	put "$namespace/queue/logical_block_size" 4096
	put "$namespace/queue/zoned" none
	put "$namespace/integrity/format" none
	put "$namespace/metadata_bytes" 0
	mkdir -p "$1/dev/block"
	ln -s "../../${namespace#*/}" "$1/dev/block/259:0"
}
nvme() {
	controller "$1" 4 "${2:-0x010802}"
	namespace "$1"
}
nvme nvme
expect 0 '^fine$' ./ask nvme dev/block/259:0
nvme nvme-old
rm -r "$namespace/integrity" "$namespace/metadata_bytes" "$namespace/queue/zoned"
expect 0 '^fine$' ./ask nvme-old dev/block/259:0
nvme nvme-admin 0x010803
expect 0 'neither an AHCI (SATA), an IDE nor an NVMe' ./ask nvme-admin dev/block/259:0
while read -r file text reason; do
	name=nvme-${file##*/}-$text
	nvme "$name"
	put "$namespace/$file" "$text"
	expect 0 "$reason" ./ask "$name" dev/block/259:0
done <<'END'
metadata_bytes 8 keeps metadata
integrity/format nop keeps metadata
integrity/format T10-DIF-TYPE1-CRC keeps metadata
queue/zoned host-managed zoned
queue/logical_block_size 8192 neither 512 nor 4096
nsid 17 beyond the first 16
END
nvme nvme-behind-vmd
ln -sfn ../../../drivers/vmd "$device/driver"
expect 0 'Intel VMD' ./ask nvme-behind-vmd dev/block/259:0

# fabric NAME TRANSPORT: a namespace over a network, below no PCI device.
fabric() {
	namespace=$1/devices/virtual/nvme-fabrics/ctl/nvme0/nvme0n1
	put "${namespace%/*}/transport" "$2"
	namespace "$1"
}
for transport in tcp rdma fc loop; do
	fabric "nvme-$transport" $transport
	expect 0 'not attached by PCI Express' ./ask "nvme-$transport" dev/block/259:0
done

# shared NAME CONTROLLER...: a namespace that several controllers may show, as a disk of the subsystem's.
shared() {
	local name=$1 system=$1/devices/virtual/nvme-subsystem/nvme-subsys0 number
	shift
	mkdir -p "$system"
	for number in "$@"; do
		controller "$name" "$number" "${class:-0x010802}"
		ln -s "../../../pci0000:00/0000:00:0$number.0/nvme/nvme$number" "$system/nvme$number"
	done
	namespace=$system/nvme0n1
	namespace "$name"
}
shared shared-one 4
expect 0 '^fine$' ./ask shared-one dev/block/259:0
shared shared-two 4 5
expect 0 'over several controllers' ./ask shared-two dev/block/259:0
shared shared-none
expect 0 'over several controllers' ./ask shared-none dev/block/259:0
shared shared-metadata 4
put "$namespace/integrity/format" nop
expect 0 'keeps metadata' ./ask shared-metadata dev/block/259:0
class=0x010400 shared shared-raid 4
expect 0 'RAID controller' ./ask shared-raid dev/block/259:0
shared shared-tcp 4
put "$device/nvme/nvme4/transport" tcp
expect 0 'not attached by PCI Express' ./ask shared-tcp dev/block/259:0
