# SPDX-License-Identifier: Apache-2.0
"""No CPU ever runs outside the hypervisor, however late and however often the guest starts it."""
import os
import shutil
import subprocess

import guests
import places
import quickdisk
import setups
from case import case
from contained import Witness
from qemu import Disk

CPU = "/sys/devices/system/cpu/cpu"


def _online(machine, cpu, on):
	machine.run(f"echo {on:d} >{CPU}{cpu}/online", 30)


@case("maxcpus=1, then the other CPUs are brought online one by one: they are beneath", cost=3)
def maxcpus_1():
	disk = setups.data_disk("maxcpus-1", 32, 512)
	witness = Witness()
	with setups.quick("maxcpus-1", [Disk(disk)], cpus=3, kernel_options="maxcpus=1") as machine:
		assert machine.run("nproc").strip() == "1"
		for cpu in (1, 2):
			_online(machine, cpu, True)
		witness.check(machine, 3)
		setups.power_off(machine)
	witness.judge(disk)


@case("CPUs taken offline and online again while fio verifies the encrypted disk stay beneath", cost=5)
def cpu_hotplug():
	disk = setups.data_disk("cpu-hotplug", 64, 512)
	witness = Witness()
	with setups.quick("cpu-hotplug", [Disk(disk)], cpus=3) as machine:
		machine.run("fio --name=load --filename=/dev/sda1 --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k "
			"--offset=16m --size=32m --numjobs=1 --loops=1000 --verify=crc32c --verify_backlog=64 --verify_fatal=1 "
			"--eta=never --output=/tmp/load.log & echo $! >/tmp/load.pid; sleep 2")
		for turn in range(4):
			for cpu in (1, 2):
				_online(machine, cpu, False)
			for cpu in (2, 1) if turn % 2 else (1, 2):
				_online(machine, cpu, True)
			witness.check(machine, 3)
		machine.run("kill -INT $(cat /tmp/load.pid); wait; grep -q 'err= 0' /tmp/load.log && "
			"! grep -i 'verify: bad\\|error' /tmp/load.log || { tail -30 /tmp/load.log; false; }", 60)
		setups.power_off(machine)
	witness.judge(disk)


def _kernel_disk(name):
	"""A disk that is a file system with the kernel as Debian ships it, and the initrd."""
	tree = places.fresh(f"{places.IMAGES}/{name}-tree")
	for file in ("vmlinuz", "initrd.img"):
		shutil.copy(f"{quickdisk.parts()}/{file}", tree)
	path = setups.path(f"{name}-kernel")
	with open(path, "wb") as out:
		out.truncate(64 << 20)
	subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, path], check=True)
	return path


@case("kexec into the same kernel: its CPUs are beneath, and it reads what the first one wrote", cost=5)
def kexec():
	disk = setups.data_disk("kexec", 32, 512)
	kernel = _kernel_disk("kexec")
	witness = Witness()
	disks = [Disk(disk), Disk(kernel, bus="virtio", readonly=True, serial="kernel")]
	with setups.quick("kexec", disks, cpus=3) as machine:
		witness.check(machine, 3)
		for _ in range(2):
			first = machine.run("cat /proc/sys/kernel/random/boot_id")
			machine.run("mount -t ext4 -o ro /dev/$(grep -l kernel /sys/block/vd*/serial | cut -d/ -f4) /mnt")
			machine.send(f"kexec /mnt/vmlinuz /mnt/initrd.img '{quickdisk.OPTIONS}'\n")
			setups.at_shell(machine)
			assert machine.run("cat /proc/sys/kernel/random/boot_id") != first
			witness.check(machine, 3)
		setups.power_off(machine)
	witness.judge(disk)
	os.unlink(kernel)


STATES = ("runs", "halts", "halts masked", "waits for SIPI", "cpuid", "port", "msr", "apic", "device read", "device write")


@case("CPUs that get INIT at random moments, from firmware too, are started again and are beneath", cost=3)
def guest_cpus():
	for beneath in (False, True):
		options = {"seconds": 10 if beneath else 3, "firmware": int(beneath)}
		facts = guests.facts(guests.run("cpus", "guest-cpus", beneath=beneath, cpus=4, options=options))
		few = [state for state in STATES + ("hypercall",) * beneath if int(facts[state]) < 3]
		assert not few, f"too few rounds: {facts}"
		assert not beneath or facts["firmware cpus"] == "4", facts
		assert facts["line"] == ("does nothing" if beneath else "stops the cpu"), facts


def _shootdown(case_name, seconds, beneath):
	facts = guests.facts(guests.run("shootdown", case_name, seconds=60 + 2 * seconds, beneath=beneath, cpus=4,
		options={"seconds": seconds}))
	for name in ("moves", "copies", "certain", "nmis"):
		assert int(facts[name]) >= 3 * seconds, facts


@case("while registers move and copies come and go no CPU reads by an old translation; no NMI is lost or invented", cost=3)
def guest_shootdown():
	_shootdown("guest-shootdown", 3, False)
	_shootdown("guest-shootdown", 12, True)
