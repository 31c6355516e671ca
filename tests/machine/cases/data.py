# SPDX-License-Identifier: Apache-2.0
"""What the guest writes is what stock tools decrypt, and nothing of it is on the medium in clear."""
import hashlib
import os
import subprocess

import gpt
import setups
import stock
from case import case
from qemu import Disk

MARKER = "UNDERSEAL-PLAINTEXT-MARKER-"

# Each job has a part of the partition to itself: sizes from a sector to 256 KiB, queue depths from 1 to 32.
VERIFY_JOBS = (
	("one", "randwrite", "512-4k", 1, "0", "8m"),
	("small", "randwrite", "512-64k", 32, "8m", "24m"),
	("page", "randrw", "4k", 32, "32m", "16m"),
	("mixed", "randrw", "4k-128k", 8, "48m", "24m"),
	("large", "write", "256k", 4, "72m", "20m"),
)


def _verify(machine, device):
	for name, pattern, sizes, depth, offset, size in VERIFY_JOBS:
		machine.run(f"fio --name={name} --filename={device} --direct=1 --ioengine=libaio --rw={pattern} "
			f"--bsrange={sizes if '-' in sizes else sizes + '-' + sizes} --bs_unaligned=0 --iodepth={depth} "
			f"--offset={offset} --size={size} --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=7 "
			f"--output=/tmp/{name}.log || {{ tail -30 /tmp/{name}.log; false; }}", 60)


# The first partition of the first disk, by what it hangs on.
PARTITION = {"ahci": "/dev/sda1", "nvme": "/dev/nvme0n1p1"}


def fio_then_judge(name, sector_bytes, cpus, bus="ahci", **machine_options):
	disk, device = setups.data_disk(name, 96, sector_bytes), PARTITION[bus]
	with setups.quick(name, [Disk(disk, bus=bus)], cpus=cpus, **machine_options) as machine:
		_verify(machine, device)
		machine.run(f"yes {MARKER}{name} | dd of={device} bs=64k seek=1488 count=32 iflag=fullblock conv=fsync")
		machine.run("echo 3 >/proc/sys/vm/drop_caches")
		seen = machine.run(f"openssl dgst -sha256 -r {device}", 60).split()[0]
		setups.power_off(machine)
	volume = stock.Volume(disk, "data", setups.PASSPHRASE)
	assert volume.sector_bytes == sector_bytes
	assert volume.sha256() == seen, "stock tools decrypt something else than the guest reads"
	assert volume.read(93 << 20, 65536).startswith(MARKER.encode()), "the marker is not where it was written"
	assert stock.holds(disk, MARKER.encode()) is None, "the marker is on the medium in clear"


@case("fio verify on 512-byte cipher sectors, then the whole disk judged by stock tools", cost=6)
def verify_512():
	fio_then_judge("verify-512", 512, 1)


@case("fio verify on 4096-byte cipher sectors and two CPUs, judged likewise", cost=6)
def verify_4096():
	fio_then_judge("verify-4096", 4096, 2)


@case("two protected disks and a clear one, on two controllers", cost=2)
def several_disks():
	disks = [Disk(setups.data_disk("several-disks-a", 32, 512), port=0),
		Disk(setups.data_disk("several-disks-b", 32, 4096), port=1),
		Disk(setups.data_disk("several-disks-c", 32), controller=1, port=0)]
	texts = [f"{MARKER}disk-{number}" for number in range(3)]
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
	plain = {disk.path: stock.holds(disk.path, MARKER.encode()) is not None for disk in disks}
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
	disk = setups.data_disk("trim", 32, 512)
	entry = gpt.entry(disk, "data")
	with setups.quick("trim", [Disk(disk)]) as machine:
		machine.run("blkdiscard -o 8388608 -l 4194304 /dev/sda1")
		machine.run("sync; echo trimmed >/dev/console")
		setups.power_off(machine)
	assert not any(gpt.read(disk, entry.start + (8 << 20), 4 << 20)), "the trimmed range is still on the medium"
	before = gpt.read(disk, entry.start + (8 << 20) - 65536, 65536)
	behind = gpt.read(disk, entry.start + (12 << 20), 65536)
	assert all(any(part[at:at + 512]) for part in (before, behind) for at in range(0, 65536, 512)), "more was trimmed"


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


# What the guest tries with the partition table of a disk whose partitions 1 and 2 are a volume and its header.
TABLE_REFUSED = ("-d 1", "-d 2", "-c 1:renamed", "-t 2:8300", "-u 1:R", "-U R", "-o", "-Z")
TABLE_ALLOWED = "-n 3:0:+2M -c 3:new -t 3:8200"


def _table(path):
	"""What sgdisk says of the two entries of a table, which it finds whole."""
	said = subprocess.run(["sgdisk", "-v", path], capture_output=True, text=True, check=True).stdout
	assert "No problems found" in said, said
	return subprocess.run(["sgdisk", "-i", "1", "-i", "2", path], capture_output=True, text=True, check=True).stdout


@case("the guest cannot change the partition table where the volume stands; elsewhere it can", cost=2)
def partition_table():
	disk = setups.data_disk("partition-table", 32, 512)
	os.truncate(disk, os.path.getsize(disk) + (8 << 20))
	subprocess.run(["sgdisk", "-e", disk], check=True, stdout=subprocess.DEVNULL)
	before = _table(disk)
	with setups.quick("partition-table", [Disk(disk)]) as machine:
		backup = os.path.getsize(disk) // 512 - 33
		machine.run(f"dd if=/dev/sda of=/tmp/first count=34; dd if=/dev/sda of=/tmp/last count=33 skip={backup}")
		for change in TABLE_REFUSED:
			machine.run(f"sgdisk {change} /dev/sda >/tmp/said 2>&1; "
				"dd if=/dev/null of=/dev/sda conv=fsync,notrunc; echo 3 >/proc/sys/vm/drop_caches")
			errors = machine.run("dmesg -c | grep -c 'I/O error' || true")
			assert int(errors), f"sgdisk {change} was let through"
			# Sums and spare entries may have been written; the old ones are let through as well.
			machine.run("dd if=/tmp/first of=/dev/sda conv=fsync,notrunc")
			machine.run(f"dd if=/tmp/last of=/dev/sda seek={backup} conv=fsync,notrunc")
		machine.run(f"dmesg -c >/dev/null; sgdisk {TABLE_ALLOWED} /dev/sda && sync")
		assert "0" == machine.run("dmesg | grep -c 'I/O error' || true").strip()
		machine.run("underseal log | grep 'partition table'")
		setups.power_off(machine)
	assert _table(disk) == before
	assert gpt.entry(disk, "new").bytes == 2 << 20
	assert stock.Volume(disk, "data", setups.PASSPHRASE).sha256()
