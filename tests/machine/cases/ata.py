# SPDX-License-Identifier: Apache-2.0
"""Disks on controllers on ports: the old chipset's own, and one beside AHCI; DMA and PIO, both drives of a channel."""
import checks
import gpt
import setups
import stock
from case import case
from qemu import FIRMWARE_PC, Disk

# The kernel's own way to leave DMA alone.
PIO = "libata.dma=0"


@case("fio verify on an ATA disk of the old chipset, judged by stock tools", cost=6)
def ata_verify_512():
	checks.fio_then_judge("ata-verify-512", 512, 1, firmware=FIRMWARE_PC, bus="ata")


@case("fio verify on an ATA disk beside AHCI, with 4096-byte cipher sectors and two CPUs, judged likewise", cost=6)
def ata_verify_4096():
	checks.fio_then_judge("ata-verify-4096", 4096, 2, bus="ata", controller=1, port=2)


@case("fio verify on an ATA disk by PIO, in blocks of many sectors, judged likewise", cost=8)
def ata_verify_pio():
	checks.fio_then_judge("ata-verify-pio", 512, 1, kernel_options=PIO, firmware=FIRMWARE_PC, bus="ata", port=1)


@case("TRIM reaches an ATA disk, and only what was trimmed")
def ata_trim():
	checks.trim("ata-trim", bus="ata", controller=1)


@case("the guest cannot change the partition table of an ATA disk where the volume stands; elsewhere it can", cost=2)
def ata_pins():
	checks.partition_table("ata-pins", bus="ata", controller=1)


@case("an unchanged Debian runs from its encrypted root on an ATA disk, two CPUs", cost=9)
def ata_root():
	checks.debian_root("ata-root", bus="ata", controller=1)


@case("four drives of one controller: two protected ones on one channel, a clear one and none on the other", cost=2)
def ata_several_drives():
	disks = [Disk(setups.data_disk("ata-several-a", 32, 512), bus="ata", port=0),
		Disk(setups.data_disk("ata-several-b", 32, 4096), bus="ata", port=1),
		Disk(setups.data_disk("ata-several-c", 32), bus="ata", port=2)]
	with setups.quick("ata-several-drives", disks, firmware=FIRMWARE_PC) as machine:
		for letter in "abc":
			machine.run(f"echo {checks.MARKER}ata | dd of=/dev/sd{letter}1 bs=4096 seek=16 conv=sync,fsync")
		setups.power_off(machine)
	plain = [stock.holds(disk.path, checks.MARKER.encode()) is not None for disk in disks]
	assert plain == [False, False, True], plain
	for disk in disks[:2]:
		read = stock.Volume(disk.path, "data", setups.PASSPHRASE).read(65536, 4096)
		assert read.startswith(checks.MARKER.encode()), disk.path
	with open(disks[2].path, "rb") as image:
		image.seek(gpt.entry(disks[2].path, "data").start + 65536)
		assert image.read(64).startswith(checks.MARKER.encode())
