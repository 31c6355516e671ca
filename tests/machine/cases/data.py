# SPDX-License-Identifier: Apache-2.0
"""What the guest writes is what stock tools decrypt, and nothing of it is on the medium in clear."""
import hashlib

import checks
import gpt
import setups
import stock
from case import case
from qemu import Disk

@case("fio verify on 512-byte cipher sectors, then the whole disk judged by stock tools", cost=6)
def verify_512():
	checks.fio_then_judge("verify-512", 512, 1)


@case("fio verify on 4096-byte cipher sectors and two CPUs, judged likewise", cost=6)
def verify_4096():
	checks.fio_then_judge("verify-4096", 4096, 2)


@case("two protected disks and a clear one, on two controllers", cost=2)
def several_disks():
	disks = [Disk(setups.data_disk("several-disks-a", 32, 512), port=0),
		Disk(setups.data_disk("several-disks-b", 32, 4096), port=1),
		Disk(setups.data_disk("several-disks-c", 32), controller=1, port=0)]
	texts = [f"{checks.MARKER}disk-{number}" for number in range(3)]
	with setups.quick("several-disks", disks) as machine:
		# One passphrase opens both: it is asked for once.
		names = machine.run("for port in 1f.2 01.0 02.0 03.0 04.0 05.0; do for ata in "
			"/sys/bus/pci/devices/0000:00:$port/ata*/host*/target*/*/block/*; do "
			"[ -e $ata ] && echo $ata; done; done | sort -V").split()
		assert len(names) == 3, names
		for number, name in enumerate(names):
			device = "/dev/" + name.rsplit("/", maxsplit=1)[1]
			machine.run(f"echo {texts[number]} | dd of={device}1 bs=4096 seek=16 conv=sync,fsync")
		setups.power_off(machine)
	plain = {disk.path: stock.holds(disk.path, checks.MARKER.encode()) is not None for disk in disks}
	assert sorted(plain.values()) == [False, False, True], plain
	found = set()
	for disk in disks[:2]:
		found.add(stock.Volume(disk.path, "data", setups.PASSPHRASE).read(65536, 4096).split(b"\n")[0].decode())
	with open(disks[2].path, "rb") as image:
		image.seek(gpt.entry(disks[2].path, "data").start + 65536)
		found.add(image.read(64).split(b"\n")[0].decode())
	assert found == set(texts), found


@case("TRIM reaches the medium, and only what was trimmed")
def trim():
	checks.trim("trim")


@case("a write of the guest to the header partition fails, and the header stays as it is")
def header_write():
	disk = setups.data_disk("header-write", 32, 512)
	header = gpt.header_entry(disk)
	before = hashlib.sha256(gpt.read(disk, header.start, header.bytes)).hexdigest()
	with setups.quick("header-write", [Disk(disk)]) as machine:
		said = machine.run("dd if=/dev/zero of=/dev/sda2 bs=4096 count=8 conv=fsync; echo status $?")
		assert "status 1" in said, said
		said = machine.run("dd if=/dev/zero of=/dev/sda2 bs=4096 count=1 oflag=direct; echo status $?")
		assert "status 1" in said and "error" in said, said
		# What lies beside it is still written, also by one command that ends where the header begins.
		machine.run("dd if=/dev/urandom of=/dev/sda1 bs=1M count=2 conv=fsync")
		machine.run("underseal log | grep -i header")
		setups.power_off(machine)
	assert hashlib.sha256(gpt.read(disk, header.start, header.bytes)).hexdigest() == before, "the header has changed"


@case("the guest cannot change the partition table where the volume stands; elsewhere it can", cost=2)
def partition_table():
	checks.partition_table("partition-table")
