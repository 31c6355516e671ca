# SPDX-License-Identifier: Apache-2.0
"""A machine comes up beneath underseal, on any number of CPUs, again and again at the same place."""
import json
import re

import checks
import gpt
import setups
from case import case
from qemu import CPU_WITHOUT_SVM, Disk, Machine


def _reserved(machine):
	"""Address and MiB of the hypervisor's memory, once for each of its starts."""
	found = re.findall(r"(\d+) MiB at ([0-9a-f]+)", machine.debug_log())
	return [(int(address, 16), int(mib)) for mib, address in found]


@case("an unchanged Debian runs from its encrypted root on AHCI, two CPUs", cost=9)
def debian_root():
	checks.debian_root("debian-root")


def _counts(name, cpus, policy="", look=lambda machine: None):
	disk = setups.data_disk(name, 32, 512)
	with setups.quick(name, [Disk(disk)], cpus=cpus, policy=policy) as machine:
		assert machine.run("nproc").strip() == str(cpus)
		assert json.loads(machine.run("underseal status --json"))["cpus"] == cpus
		machine.run("dd if=/dev/urandom of=/dev/sda1 bs=1M count=8 conv=fsync")
		for cpu in range(cpus):
			# Where nobody is beneath, the hypercall is an invalid instruction.
			machine.run(f"taskset {1 << cpu:x} underseal status")
		first = [counter["cpu"] for counter in json.loads(machine.run("underseal stat --json"))["counters"]]
		assert all(any(row[cpu] for row in first) for cpu in range(cpus)), first
		look(machine)
		setups.power_off(machine)


@case("one CPU")
def one_cpu():
	_counts("one-cpu", 1)


@case("two CPUs, both beneath")
def two_cpus():
	_counts("two-cpus", 2)


@case("four CPUs, all beneath", cost=4)
def four_cpus():
	_counts("four-cpus", 4)


@case("icr=fast: the trap is lifted, and both CPUs are beneath all the same")
def icr_fast():
	def look(machine):
		assert "outside the hypervisor" in machine.text(), "no word about it at the start"
		assert "outside the" in machine.run("underseal status")
		assert json.loads(machine.run("underseal status --json"))["icr"] == "fast"
	_counts("icr-fast", 2, "icr=fast\n", look)


@case("the reset button under load: the disk unlocks again and is whole", cost=4)
def hot_reset():
	disk = setups.data_disk("hot-reset", 64, 4096)
	with setups.quick("hot-reset", [Disk(disk)], cpus=2, reboots=True) as machine:
		machine.run("yes kept-through-the-reset | dd of=/dev/sda1 bs=1M count=8 iflag=fullblock conv=fsync")
		wanted = machine.run("head -c 8388608 /dev/sda1 | sha256sum")
		machine.send("fio --name=load --filename=/dev/sda1 --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite "
			"--bs=4k --offset=16m --size=32m --runtime=60 --time_based >/dev/null 2>&1 & sleep 3; echo load'-'runs\n")
		machine.wait("load-runs")
		machine.reset()
		setups.unlock(machine)
		setups.at_shell(machine)
		assert machine.run("head -c 8388608 /dev/sda1 | sha256sum") == wanted
		places = _reserved(machine)
		assert len(places) == 2 and places[0] == places[1], f"the hypervisor moved: {places}"
		setups.power_off(machine)


@case("the guest reboots in place, twice; the hypervisor's memory stays where it was", cost=4)
def reboot():
	disk = setups.data_disk("reboot", 32, 512)
	with setups.quick("reboot", [Disk(disk)], cpus=2, reboots=True) as machine:
		for turn in range(2):
			machine.run(f"echo boot-{turn} | dd of=/dev/sda1 seek={turn} conv=fsync")
			machine.send("reboot -f\n")
			setups.unlock(machine)
			setups.at_shell(machine)
			assert f"boot-{turn}" in machine.run(f"dd if=/dev/sda1 skip={turn} count=1 2>/dev/null | head -1")
		places = _reserved(machine)
		assert len(places) == 3 and len(set(places)) == 1, f"the hypervisor moved: {places}"
		assert places[0][1] <= 32, places
		setups.power_off(machine)


@case("a CPU without SVM: a clear message, and the machine boots on")
def no_svm():
	disk = setups.data_disk("no-svm", 32, 512)
	entry = gpt.entry(disk, "data")
	before = gpt.read(disk, entry.start, entry.bytes)
	with setups.quick("no-svm", [Disk(disk)], cpu=CPU_WITHOUT_SVM, passphrase=None) as machine:
		assert re.search(r"stay locked\. .*(SVM|virtuali[sz]ation)", machine.text()), "no word about SVM"
		machine.run("head -c 65536 /dev/sda1 | sha256sum")
		machine.run("! underseal status")
		setups.power_off(machine)
	assert gpt.read(disk, entry.start, entry.bytes) == before
