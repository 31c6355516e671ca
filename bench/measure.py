# SPDX-License-Identifier: Apache-2.0
"""What is measured, each as a function of running machines. CPU seconds are the emulator's own (user and system):
on a shared host they say more than the clock does."""
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "machine"))

import places  # noqa: E402,F401  (also for its importers)
import setups  # noqa: E402
from qemu import FIRMWARE_PC, Disk, Machine  # noqa: E402

DATA_MIB = 260
IDLE_SECONDS = 20
COUNTED_IOS = 3000
LOST_AFTER_MS = 2000  # a command of the guest's
DEVICE = "/dev/disk-under-test"


class Job:
	"""A fio job; the names are the keys of bench.json."""

	def __init__(self, key, pattern, block, depth):
		self.key, self.depth = key, depth
		self.words = f"--rw={pattern} --bs={block} --iodepth={depth}"
		self.writes = "write" in pattern


JOBS = [
	Job("randread_4k_qd1", "randread", "4k", 1),
	Job("randwrite_4k_qd1", "randwrite", "4k", 1),
	Job("randread_4k_qd32", "randread", "4k", 32),
	Job("randwrite_4k_qd32", "randwrite", "4k", 32),
	Job("read_128k_qd8", "read", "128k", 8),
	Job("write_128k_qd8", "write", "128k", 8),
]

FIO = (f"fio --name=job --filename={DEVICE} --direct=1 --ioengine=libaio --norandommap --randrepeat=0 --size=240m "
	"--output-format=json --output=/tmp/fio.json --group_reporting")


class Place:
	"""Where a disk under test hangs: its keys begin with the name. With several CPUs each has a fio job of its own.
	With `latency_ms` the disk takes as long for each command."""

	def __init__(self, name, what, bus, cpus=1, latency_ms=0):
		self.name, self.what, self.bus, self.cpus, self.latency_ms = name, what, bus, cpus, latency_ms

	def fio(self):
		jobs = f" --numjobs={self.cpus} --cpus_allowed=0-{self.cpus - 1} --cpus_allowed_policy=split"
		return FIO + jobs * (self.cpus > 1)


AHCI = Place("ahci", "AHCI, one CPU", "ahci")
NVME = Place("nvme", "NVMe, one CPU", "nvme")
NVME_4 = Place("nvme4", "NVMe, four CPUs", "nvme", cpus=4)
NVME_SLOW = Place("nvme-slow", "NVMe, one CPU, a disk that takes 3 ms for a command", "nvme", latency_ms=3)
PLACES = (AHCI, NVME, NVME_4, NVME_SLOW)


@contextlib.contextmanager
def delayed(path, milliseconds):
	"""The image, served by a process that lets each command wait for so long, 64 of them at the same time."""
	with tempfile.TemporaryDirectory() as directory:
		socket = f"{directory}/socket"
		server = subprocess.Popen(["nbdkit", "--foreground", "--exit-with-parent", "--unix", socket, "--threads", "64",
			"--filter=delay", "file", path, f"rdelay={milliseconds}ms", f"wdelay={milliseconds}ms"])
		try:
			while not os.path.exists(socket):
				if server.poll() is not None:
					raise RuntimeError(f"nbdkit ended with status {server.returncode}")
				time.sleep(0.05)
			yield f"nbd+unix:///?socket={socket}"
		finally:
			server.kill()
			server.wait()


VARIANTS = ("bare", "unprotected", "encrypted")


@contextlib.contextmanager
def machine(place, variant):
	"""A machine whose guest is at its shell. The disk under test, filled with noise, is alone on the first controller;
	a small one on another is protected beneath, so that underseal runs where the disk under test is unprotected, too."""
	name, beneath = f"bench-{place.name}-{variant}", variant != "bare"
	disk = setups.noisy_disk(f"{name}-data", DATA_MIB, 512 * (variant == "encrypted"))
	other = setups.data_disk(f"{name}-other", 32, 512 * beneath)
	with delayed(disk, place.latency_ms) if place.latency_ms else contextlib.nullcontext(disk) as path:
		disks = [Disk(path, bus=place.bus), Disk(other, bus=place.bus, controller=1)]
		with setups.quick(name, disks, beneath=beneath, policy="icr=fast\n", cpus=place.cpus, parallel=place.cpus > 1) as started:
			name_device(started, place)
			yield started
			started.kill()
	os.unlink(other)
	os.unlink(disk)


def name_device(machine, place):
	"""Gives the disk under test a name that does not depend on the order of discovery."""
	if place.bus == "nvme":
		machine.run("until grep -l nvme0 /sys/class/nvme/*/serial && [ -b /dev/nvme0n1p1 ] && [ -b /dev/nvme1n1p1 ]; do sleep 1; "
			f"done; ln -s /dev/$(basename $(dirname $(grep -l nvme0 /sys/class/nvme/*/serial)))n1p1 {DEVICE}; "
			f"for queue in /sys/block/nvme*/queue; do echo {LOST_AFTER_MS} >$queue/io_timeout; done")
	else:
		machine.run("ln -s /dev/$(basename /sys/bus/pci/devices/0000:00:1f.2/ata*/host*/target*/*/block/*)1 " + DEVICE)


class LostRing(Exception):
	"""The guest waited for a command that its device never saw."""


def fio(machine, place, job, seconds=2):
	"""(IOPS, host CPU microseconds per I/O), counted between fio's own start and end of I/O. LostRing when QEMU's
	shadow doorbells have lost one, which the guest notices when its patience ends."""
	timeouts = "dmesg | grep -c 'nvme.*timeout' || true"
	before = machine.run(timeouts)
	machine.begin(f"{place.fio()} {job.words} --runtime={seconds} --time_based "
		"--exec_prerun=/tools/bin/mark.sh --exec_postrun=/tools/bin/mark.sh && cat /tmp/fio.json")
	for _ in range(place.cpus):
		machine.wait(r"\[mark\]")
	start = machine.cpu_seconds()
	for _ in range(place.cpus):
		machine.wait(r"\[mark\]", 30)
	used = machine.cpu_seconds() - start
	side = _side(machine.finish(), job)
	if machine.run(timeouts) != before:
		raise LostRing
	return side["iops"], used / side["total_ios"] * 1e6


def _side(output, job):
	text = output[output.index("{"):output.rindex("}") + 1]
	return json.loads(text)["jobs"][0]["write" if job.writes else "read"]


def exits_per_io(machine, place, job):
	"""Exits of a run of many I/Os less those of a run of one, so that starting fio does not count."""
	def count(ios):
		before = setups.exits(machine)
		machine.run(f"{place.fio()} {job.words} --number_ios={ios}", 60)
		return setups.exits_between(before, setups.exits(machine))
	return (count(COUNTED_IOS + 1) - count(1)) / COUNTED_IOS / place.cpus


# What dd does, and how many commands or sectors that is.
ATA_WORK = {
	"dma": (("dma_read", "if=/dev/sda1 of=/dev/null iflag=direct bs=4k count=3000", 3000),
		("dma_write", "if=/dev/zero of=/dev/sda1 oflag=direct bs=4k count=3000", 3000)),
	"pio": (("pio_read", "if=/dev/sda1 of=/dev/null iflag=direct bs=128k count=300", 300 * 256),),
}


def exits_on_ports(rounds):
	"""What commands of an ATA disk cost: exits for each that reads or writes 4 KiB by DMA, and for each sector that a read
	of 128 KiB moves by PIO."""
	figures = {}
	disk = setups.noisy_disk("bench-ata-data", 64, 512)
	for way, options in (("dma", ""), ("pio", "libata.dma=0")):
		with setups.quick(f"bench-ata-{way}", [Disk(disk, bus="ata")], policy="icr=fast\n", kernel_options=options,
				firmware=FIRMWARE_PC) as machine:
			for name, words, divisor in ATA_WORK[way]:
				taken = [_exits_of(machine, words) / divisor for _ in range(rounds)]
				figures[f"ata.exits.{name}"] = Sample(taken)
			machine.kill()
	os.unlink(disk)
	return figures


def _exits_of(machine, words):
	before = setups.exits(machine)
	machine.run(f"dd {words}", 120)
	return setups.exits_between(before, setups.exits(machine))


def idle_exits(machine):
	"""Exits per second and CPU of a guest that has nothing to do."""
	return setups.idle_exits(machine, IDLE_SECONDS) / machine.cpus


def exits_per_timer_interrupt(rounds):
	"""(busy, idle) for each round, where the interrupt command register stays trapped."""
	disk = setups.data_disk("bench-keep-data", 32, 512)
	with setups.quick("bench-keep", [Disk(disk)]) as machine:
		taken = [[setups.exits_and_ticks(machine, work, IDLE_SECONDS) for work in (setups.BUSY, setups.IDLE)]
			for _ in range(rounds)]
		machine.kill()
	return [[exits / ticks for exits, ticks in turn] for turn in taken]


def boot(name, disk, beneath):
	"""CPU seconds from power-on to Debian's login prompt. Beneath, the header's key derivation costs nothing."""
	with Machine(name, [Disk(disk, boot=True, snapshot=True)], cpus=2, memory=1024) as machine:
		if beneath:
			setups.unlock(machine)
		machine.wait("login: ", 60)
		return machine.cpu_seconds()


class Sample:
	"""Values of several rounds: their median, and between which two they lie."""

	def __init__(self, values):
		self.median, self.least, self.most = statistics.median(values), min(values), max(values)

	def as_json(self):
		return {"median": round(self.median, 4), "least": round(self.least, 4), "most": round(self.most, 4)}
