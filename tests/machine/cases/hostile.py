# SPDX-License-Identifier: Apache-2.0
"""A guest that misbehaves: it gets the answer the specification gives, and the machine runs on."""
import re

import setups
from case import case
from qemu import Disk

SYS = "/sys/bus/pci/devices/0000:00:1f.2"


def _alive(machine):
	machine.run("underseal status")
	machine.run("head -c 1048576 /dev/sda1 | sha256sum")


def _own_memory(machine):
	mib, address = re.search(r"(\d+) MiB at ([0-9a-f]+)", machine.debug_log()).groups()
	return int(address, 16), int(mib) << 20


@case("the hypervisor's memory reads as zeros or ones for the guest, and its writes are lost")
def memory_hidden():
	disk = setups.data_disk("memory-hidden", 32, 512)
	with setups.quick("memory-hidden", [Disk(disk)], kernel_options="iomem=relaxed") as machine:
		start, length = _own_memory(machine)
		machine.run(f"for page in $(seq 0 48 {length // 4096 - 1}); do "
			f"devmem $(({start:#x} + page * 4096)) 64 >>/tmp/seen || exit 1; done", 60)
		machine.run("sort -u /tmp/seen | grep -qvxE '0x0{16}|0xF{16}' && { sort -u /tmp/seen; false; } || true")
		for at in (start, start + length // 2, start + length - 4096):
			machine.run(f"devmem {at:#x} 64 0x1122334455667788")
			assert "1122" not in machine.run(f"devmem {at:#x} 64"), f"a write to {at:#x} stayed"
		_alive(machine)
		setups.power_off(machine)


@case("unknown MSRs raise #GP; SVM's own are not the guest's")
def unknown_msr():
	disk = setups.data_disk("unknown-msr", 32, 512)
	with setups.quick("unknown-msr", [Disk(disk)]) as machine:
		for number in ("0x12345678", "0x4b564d00", "0xc0010117"):
			assert machine.run(f"probe rdmsr {number}").strip() == "#GP", f"MSR {number} reads"
			assert machine.run(f"probe wrmsr {number} 1").strip() == "#GP", f"MSR {number} can be written"
		assert int(machine.run("probe rdmsr 0xc0000080"), 0) & (1 << 12) == 0, "EFER.SVME shows"
		assert machine.run("probe wrmsr 0xc0000080 0x1d01").strip() == "#GP", "EFER.SVME can be set"
		assert "svm" not in machine.run("grep -m1 flags /proc/cpuinfo").split()
		_alive(machine)
		setups.power_off(machine)


@case("port accesses of odd widths at the trapped ports are answered, and break nothing")
def odd_port_widths():
	disk = setups.data_disk("odd-port-widths", 32, 512)
	with setups.quick("odd-port-widths", [Disk(disk)]) as machine:
		machine.run("for port in 0xcf8 0xcf9 0xcfa 0xcfb 0xcfc 0xcfd 0xcfe 0xcff; do for width in 1 2 4; do "
			"[ $port = 0xcf9 ] || probe out $width $port 0; probe in $width $port; done; done", 60)
		machine.run("for width in 1 2 4; do probe ins $width 0xcfc 3; done")
		# The PM1 control block, a byte at a time, without asking for a sleep state.
		machine.run("probe in 1 0x604; probe in 1 0x605; probe in 4 0x604; probe in 1 0xb2; probe in 1 0xcf9")
		_alive(machine)
		setups.power_off(machine)


def _port_registers(machine):
	"""Takes the HBA from its driver and returns the address of port 0's registers."""
	machine.run(f"echo 0000:00:1f.2 >{SYS}/driver/unbind; sleep 1")
	base = int(machine.run(f"head -6 {SYS}/resource | tail -1").split()[0], 16)
	machine.run(f"printf '\\006\\004' | dd of={SYS}/config bs=1 seek=4 conv=notrunc")
	machine.run(f"devmem {base + 4:#x} 32 0x80000000")
	return base + 0x100


def _give_back(machine):
	machine.run("echo 0000:00:1f.2 >/sys/bus/pci/drivers/ahci/bind")
	machine.run("for i in 1 2 3 4 5 6 7 8 9; do [ -e /dev/sda1 ] && break; sleep 1; done; [ -e /dev/sda1 ]", 30)


@case("command lists in the hypervisor's memory and beyond RAM are refused", cost=2)
def bad_command_lists():
	disk = setups.data_disk("bad-command-lists", 32, 512)
	with setups.quick("bad-command-lists", [Disk(disk)], kernel_options="iomem=relaxed") as machine:
		own, _ = _own_memory(machine)
		port = _port_registers(machine)
		for address in (own, own + 0x1000, 0xfffffffffffff000, 0x4000000000, 0xfee00000, port & ~0xfff):
			machine.run(f"devmem {port:#x} 32 {address & 0xffffffff:#x}; devmem {port + 4:#x} 32 {address >> 32:#x}")
			machine.run(f"devmem {port + 8:#x} 32 {address & 0xffffffff:#x}; devmem {port + 12:#x} 32 {address >> 32:#x}")
			machine.run(f"devmem {port + 0x18:#x} 32 0x17; devmem {port + 0x38:#x} 32 1; devmem {port + 0x38:#x} 32")
			machine.run(f"devmem {port + 0x18:#x} 32 0x6; sleep 1")
			machine.run("underseal status")
		assert machine.run("underseal log | grep ahci").strip(), "no log line"
		_give_back(machine)
		_alive(machine)
		setups.power_off(machine)


@case("the HBA's registers moved onto RAM and back: nothing is reached through them there", cost=2)
def bar_onto_ram():
	disk = setups.data_disk("bar-onto-ram", 32, 512)
	with setups.quick("bar-onto-ram", [Disk(disk)], kernel_options="iomem=relaxed") as machine:
		_port_registers(machine)
		before = machine.run(f"dd if={SYS}/config bs=1 skip=36 count=4 2>/dev/null | od -An -tx1").split()
		machine.run(f"printf '\\000\\000\\000\\001' | dd of={SYS}/config bs=1 seek=36 conv=notrunc")
		machine.run("underseal status; sleep 1")
		back = "".join(f"\\{int(byte, 16):03o}" for byte in before)
		machine.run(f"printf '{back}' | dd of={SYS}/config bs=1 seek=36 conv=notrunc")
		_give_back(machine)
		_alive(machine)
		setups.power_off(machine)
