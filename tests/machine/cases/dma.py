# SPDX-License-Identifier: Apache-2.0
"""What would let a guest, or one of its devices, reach around the mediators is not there for it."""
import setups
from case import case
from qemu import Disk

AMD_VENDOR = "PCI_ID=1022:"

UNITS = {
	"intel": ("intel-iommu,intremap=on,caching-mode=on", "intel_iommu=on iommu=nopt", "DMAR", 0xfed90000),
	"amd": ("amd-iommu,intremap=on", "iommu=nopt", "IVRS", 0xfed80000),
}


def _tables(machine):
	return machine.run("ls /sys/firmware/acpi/tables").split()


def _amd_function(machine):
	return AMD_VENDOR in machine.run("cat /sys/bus/pci/devices/*/uevent")


def _iommus(machine):
	return machine.run("ls /sys/class/iommu").split()


def _unit_is_hidden(kind):
	device, options, table, registers = UNITS[kind]
	name = f"{kind}-iommu"
	machine_options = ("-device", device)
	with setups.quick(f"{name}-bare", [], beneath=False, kernel_options=options, options=machine_options) as machine:
		assert table in _tables(machine) and _iommus(machine), "this machine has no IOMMU to hide"
		assert _amd_function(machine) == (kind == "amd"), "the IOMMU's PCI function is not where it was"
		setups.power_off(machine)
	disk = setups.data_disk(name, 32, 512)
	with setups.quick(name, [Disk(disk)], kernel_options=f"{options} iomem=relaxed",
			options=machine_options) as machine:
		assert table not in _tables(machine), f"{table} is still there"
		assert not _iommus(machine), "the guest uses an IOMMU"
		for at in (0, 8, 0x18):
			machine.run(f"devmem {registers + at:#x} 32 0x80000000")
			assert int(machine.run(f"devmem {registers + at:#x} 32"), 0) == 0xffffffff, "registers of the IOMMU show"
		assert not _amd_function(machine), "the IOMMU's PCI function shows"
		machine.run("dd if=/dev/urandom of=/tmp/data bs=1M count=8 && dd if=/tmp/data of=/dev/sda1 conv=fsync")
		machine.run("echo 3 >/proc/sys/vm/drop_caches; head -c 8388608 /dev/sda1 | cmp - /tmp/data")
		setups.power_off(machine)


@case("VT-d is hidden from a guest that asks for it, and its disks work", cost=3)
def intel_iommu():
	_unit_is_hidden("intel")


@case("AMD-Vi is hidden from a guest that asks for it, and its disks work", cost=3)
def amd_iommu():
	_unit_is_hidden("amd")


@case("S3 is neither offered nor done: the guest would resume without us", cost=2)
def suspend_to_ram():
	disk = setups.data_disk("suspend-to-ram", 32, 512)
	with setups.quick("suspend-to-ram", [Disk(disk)]) as machine:
		assert "deep" not in machine.run("cat /sys/power/mem_sleep"), "S3 is offered"
		assert "S4" in machine.run("dmesg | grep 'ACPI: PM: (supports'"), "S4 is gone too"
		assert "S3 is hidden" in machine.run("underseal log"), "there was no S3 to hide"
		# SLP_EN with the sleep type of S3, by the word and by its upper byte.
		machine.run("probe out 2 0x604 0x2401; probe out 1 0x605 0x24")
		assert machine.run("underseal log").count("sleep type 1 is refused") == 2
		machine.run("head -c 1048576 /dev/sda1 | sha256sum")
		setups.power_off(machine)
