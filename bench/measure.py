# SPDX-License-Identifier: Apache-2.0
"""What is measured, each as a function of running machines. CPU seconds are the emulator's own (user and system):
on a shared host they say more than the clock does."""
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "machine"))

import places  # noqa: E402,F401  (also for its importers)
import setups  # noqa: E402
from qemu import Disk, Machine  # noqa: E402

DATA_MIB = 260
IDLE_SECONDS = 20
COUNTED_IOS = 3000
DEVICE = "/dev/disk-under-test"


class Job:
	"""A fio job; the names are the keys of bench.json."""

	def __init__(self, key, pattern, block, depth):
		self.key = key
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
	"--output-format=json --output=/tmp/fio.json")


def fill(path):
	"""Random bytes for the disk under test: nothing on the way may profit from zeros."""
	with open("/dev/urandom", "rb") as noise, open(path, "wb") as out:
		for _ in range(DATA_MIB):
			out.write(noise.read(1 << 20))
	return path


def machines():
	"""The three variants: name → an unstarted machine's context. All have the disk under test alone on the chipset's
	HBA and a small disk on a second one; that one is protected beneath, so that underseal runs in `unprotected` too."""
	noise = fill(setups.path("bench-noise"))
	def variant(name, beneath, sector_bytes):
		disks = [Disk(setups.data_disk(f"bench-{name}-data", DATA_MIB, sector_bytes, noise)),
			Disk(setups.data_disk(f"bench-{name}-other", 32, 512 if beneath else 0), controller=1)]
		return setups.quick(f"bench-{name}", disks, beneath=beneath, policy="icr=fast\n")
	made = {"bare": variant("bare", False, 0), "unprotected": variant("unprotected", True, 0),
		"encrypted": variant("encrypted", True, 512)}
	os.unlink(noise)
	return made


def name_device(machine):
	"""Gives the disk under test a name that does not depend on the order of discovery."""
	machine.run("ln -s /dev/$(basename /sys/bus/pci/devices/0000:00:1f.2/ata*/host*/target*/*/block/*)1 " + DEVICE)


def fio(machine, job, seconds=2):
	"""(IOPS, host CPU microseconds per I/O), counted between fio's own start and end of I/O."""
	machine.begin(f"{FIO} {job.words} --runtime={seconds} --time_based "
		"--exec_prerun=/tools/bin/mark.sh --exec_postrun=/tools/bin/mark.sh && cat /tmp/fio.json")
	machine.wait(r"\[mark\]")
	start = machine.cpu_seconds()
	machine.wait(r"\[mark\]", 10)
	used = machine.cpu_seconds() - start
	side = _side(machine.finish(), job)
	return side["iops"], used / side["total_ios"] * 1e6


def _side(output, job):
	text = output[output.index("{"):output.rindex("}") + 1]
	return json.loads(text)["jobs"][0]["write" if job.writes else "read"]


def exits_per_io(machine, job):
	"""Exits of a run of many I/Os less those of a run of one, so that starting fio does not count."""
	def count(ios):
		before = setups.exits(machine)
		machine.run(f"{FIO} {job.words} --number_ios={ios}", 30)
		return setups.exits_between(before, setups.exits(machine))
	return (count(COUNTED_IOS + 1) - count(1)) / COUNTED_IOS


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
