#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an escrow's record says of the machine and the disk, from a small copy of sysfs; nothing in it begins a line.
source tests/host/common.bash
cat >ask.c <<'END2'
#include "installer/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
int main(int count, char **words)
{
	const struct target target = {.is_block = atoi(words[2]), .device = makedev(8, 0)};
	struct machine m;

	(void)count;
	machine_read(&m, words[1], &target);
	printf("%s|%s|%s|%s|%s|%s\n", m.vendor, m.product, m.serial, m.uuid, m.disk_model, m.disk_serial);
	return 0;
}
END2
gcc -std=gnu11 -O1 -g -I"$root" -D_GNU_SOURCE -fsanitize=address,undefined -o ask ask.c "$root"/installer/{machine,node}.c
mkdir -p sys/class/dmi/id sys/dev/block/8:0/device
printf 'LENOVO\n' >sys/class/dmi/id/sys_vendor
printf 'ThinkPad X1  \n' >sys/class/dmi/id/product_name
printf 'PF\t12\xc3\xa9\rserial: 7\n' >sys/class/dmi/id/product_serial
printf 'Samsung SSD\n' >sys/dev/block/8:0/device/model
printf '%0200d' 5 >sys/dev/block/8:0/device/serial

# says WANTED IS-BLOCK SYSFS
says() {
	[ "$(./ask "$3" "$2")" = "$1" ] || { ./ask "$3" "$2"; fail "not $1"; }
}
zeroes=$(printf '%079d' 0)
says "LENOVO|ThinkPad X1|PF?12???serial: 7||Samsung SSD|$zeroes" 1 sys
says 'LENOVO|ThinkPad X1|PF?12???serial: 7|||' 0 sys
says '|||||' 1 nowhere
