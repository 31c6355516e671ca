# SPDX-License-Identifier: Apache-2.0
"""What a protected disk must do, on whatever controller it is: cases of several themes ask for it."""
import hashlib
import json
import os
import re
import subprocess

import gpt
import setups
import stock
from qemu import FIRMWARE, Disk, Machine

MARKER = "UNDERSEAL-PLAINTEXT-MARKER-"

# Each job has a part of the partition to itself: sizes from a sector to 256 KiB, queue depths from 1 to 32.
VERIFY_JOBS = (
	("one", "randwrite", "512-4k", 1, "0", "2m"),
	("small", "randwrite", "512-64k", 32, "4m", "6m"),
	("page", "randrw", "4k", 32, "16m", "4m"),
	("mixed", "randrw", "4k-128k", 8, "24m", "6m"),
	("large", "write", "256k", 4, "36m", "6m"),
)
VERIFIED_MIB = 48
MARKER_MIB = 45  # behind all of them


def verify(machine, device, lba_bytes=512):
	for name, pattern, sizes, depth, offset, size in VERIFY_JOBS:
		sizes = sizes.replace("512", str(max(512, lba_bytes)))
		machine.run(f"fio --name={name} --filename={device} --direct=1 --ioengine=libaio --rw={pattern} "
			f"--bsrange={sizes if '-' in sizes else sizes + '-' + sizes} --bs_unaligned=0 --iodepth={depth} "
			f"--offset={offset} --size={size} --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=7 "
			f"--output=/tmp/{name}.log || {{ tail -30 /tmp/{name}.log; false; }}", 60)


def fio_then_judge(name, sector_bytes, cpus, kernel_options="", mode="", firmware=FIRMWARE, **place):
	"""What fio has written and verified beneath is what stock tools decrypt, and stands nowhere in clear. `place` says
	where the disk is, as of Disk; `mode` how the driver moves an ATA disk's data."""
	path = setups.data_disk(name, VERIFIED_MIB, sector_bytes, lba_bytes=place.get("lba_bytes", 512))
	disk = Disk(path, **place)
	node = disk.node(1)
	with setups.quick(name, [disk], cpus=cpus, kernel_options=kernel_options, firmware=firmware) as machine:
		assert f" {disk.bus} " in machine.run("underseal status"), "the disk is on another controller"
		if mode:
			machine.run(f"grep -q {mode} /sys/class/ata_device/*/xfer_mode")
		verify(machine, node, disk.lba_bytes)
		machine.run(f"yes {MARKER}{name} | dd of={node} bs=64k seek={MARKER_MIB * 16} count=32 iflag=fullblock conv=fsync")
		machine.run("echo 3 >/proc/sys/vm/drop_caches")
		seen = machine.run(f"openssl dgst -sha256 -r {node}", 60).split()[0]
		setups.power_off(machine)
	volume = stock.Volume(path, "data", setups.PASSPHRASE)
	assert volume.sector_bytes == sector_bytes
	assert volume.sha256() == seen, "stock tools decrypt something else than the guest reads"
	assert volume.read(MARKER_MIB << 20, 65536).startswith(MARKER.encode()), "the marker is not where it was written"
	assert stock.holds(path, MARKER.encode()) is None, "the marker is on the medium in clear"


def trim(name, **place):
	"""What the guest trims is empty on the medium, and nothing else is."""
	disk = setups.data_disk(name, 32, 512)
	node = Disk(disk, **place).node(1)
	entry = gpt.entry(disk, "data")
	with setups.quick(name, [Disk(disk, **place)]) as machine:
		machine.run(f"blkdiscard -o 8388608 -l 4194304 {node}")
		machine.run("sync; echo trimmed >/dev/console")
		setups.power_off(machine)
	assert not any(gpt.read(disk, entry.start + (8 << 20), 4 << 20)), "the trimmed range is still on the medium"
	before = gpt.read(disk, entry.start + (8 << 20) - 65536, 65536)
	behind = gpt.read(disk, entry.start + (12 << 20), 65536)
	assert all(any(part[at:at + 512]) for part in (before, behind) for at in range(0, 65536, 512)), "more was trimmed"


def debian_root(name, firmware=FIRMWARE, **place):
	"""Debian runs from its encrypted root, and stock tools find the whole file system that it has written."""
	path = setups.debian(name, options=setups.CHEAP)
	disk = Disk(path, boot=True, **place)
	with Machine(name, [disk], cpus=2, memory=1024, firmware=firmware) as machine:
		setups.unlock(machine)
		machine.login()
		status = json.loads(machine.run("underseal status --json"))
		assert status["cpus"] == 2 and len(status["volumes"]) == 1, status
		assert status["reserved_mib"] <= 32, status
		assert machine.run("nproc").strip() == "2"
		assert f"{disk.node(2)} / ext4 rw" in machine.run("cat /proc/mounts")
		machine.run("seq 200000 >/root/numbers && sync && echo 3 >/proc/sys/vm/drop_caches")
		seen = machine.run("sha256sum </root/numbers").split()[0]
		assert not re.search(r"I/O error|ata\d.*(failed|error)|nvme.*(timeout|reset)", machine.run("dmesg"))
		machine.run("journalctl -q --no-pager -p 3 -b | cat")
		setups.power_off(machine, "poweroff")
	_check_file_system(path, seen)


def _check_file_system(disk, numbers_sha256):
	"""The root, decrypted by stock code, is a whole file system that holds what the guest wrote."""
	volume = stock.Volume(disk, "root", setups.PASSPHRASE)
	plain = f"{disk}.plain"
	with open(plain, "wb") as out:
		for at in range(0, volume.entry.bytes, stock.CHUNK):
			out.write(volume.read(at, min(stock.CHUNK, volume.entry.bytes - at)))
	subprocess.run(["e2fsck", "-fn", plain], check=True, capture_output=True)
	dumped = subprocess.run(["debugfs", "-R", "cat /root/numbers", plain], check=True, capture_output=True).stdout
	os.unlink(plain)
	assert hashlib.sha256(dumped).hexdigest() == numbers_sha256, "the file on the decrypted disk is another one"


# What the guest tries with the partition table of a disk whose partitions 1 and 2 are a volume and its header.
TABLE_REFUSED = ("-d 1", "-d 2", "-c 1:renamed", "-t 2:8300", "-u 1:R", "-U R", "-o", "-Z")
TABLE_ALLOWED = "-n 3:0:+2M -c 3:new -t 3:8200"


def _table(path):
	"""What sgdisk says of the two entries of a table, which it finds whole."""
	said = subprocess.run(["sgdisk", "-v", path], capture_output=True, text=True, check=True).stdout
	assert "No problems found" in said, said
	return subprocess.run(["sgdisk", "-i", "1", "-i", "2", path], capture_output=True, text=True, check=True).stdout


def partition_table(name, logged="partition table", kernel_options="", **place):
	"""Changes to the entries of the volume and its header fail and are `logged`, and others pass."""
	disk = setups.data_disk(name, 32, 512)
	node = Disk(disk, **place).node()
	os.truncate(disk, os.path.getsize(disk) + (8 << 20))
	subprocess.run(["sgdisk", "-e", disk], check=True, stdout=subprocess.DEVNULL)
	before = _table(disk)
	with setups.quick(name, [Disk(disk, **place)], kernel_options=kernel_options) as machine:
		backup = os.path.getsize(disk) // 512 - 33
		machine.run(f"dd if={node} of=/tmp/first count=34; dd if={node} of=/tmp/last count=33 skip={backup}")
		for change in TABLE_REFUSED:
			machine.run(f"sgdisk {change} {node} >/tmp/said 2>&1; "
				f"dd if=/dev/null of={node} conv=fsync,notrunc; echo 3 >/proc/sys/vm/drop_caches")
			errors = machine.run("dmesg -c | grep -c 'I/O error' || true")
			assert int(errors), f"sgdisk {change} was let through"
			# Sums and spare entries may have been written; the old ones are let through as well.
			machine.run(f"dd if=/tmp/first of={node} conv=fsync,notrunc")
			machine.run(f"dd if=/tmp/last of={node} seek={backup} conv=fsync,notrunc")
		machine.run(f"dmesg -c >/dev/null; sgdisk {TABLE_ALLOWED} {node} && sync")
		assert "0" == machine.run("dmesg | grep -c 'I/O error' || true").strip()
		machine.run(f"underseal log | grep '{logged}'")
		setups.power_off(machine)
	assert _table(disk) == before
	assert gpt.entry(disk, "new").bytes == 2 << 20
	assert stock.Volume(disk, "data", setups.PASSPHRASE).sha256()
