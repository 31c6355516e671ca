# SPDX-License-Identifier: Apache-2.0
"""The machines the tests, the demo and the benches are made of: a quick one and a Debian, each bare or beneath."""
import contextlib
import json
import os
import subprocess

import gpt
import image
import places
import qemu
import quickdisk
import tools
from qemu import Disk

PASSPHRASE = "correct horse battery staple"
PASSPHRASE_PROMPT = r"Passphrase for [^\n]*: "

# Key derivation that costs nothing: machines that are emulated, and benches that leave it out.
CHEAP = ("--pbkdf-memory", "64", "--iter-time", "1")


def path(name):
	"""Where a test's own disk lies."""
	os.makedirs(places.IMAGES, exist_ok=True)
	return f"{places.IMAGES}/{name}.img"


def underseal(disk, passphrase, *words, **kwargs):
	"""The `underseal` command with a passphrase in a file that is gone afterwards; its standard output."""
	secret = f"{disk}.passphrase"
	with open(secret, "w", encoding="utf-8") as out:
		out.write(passphrase + "\n")
	kwargs.setdefault("capture_output", True)
	done = subprocess.run([places.UNDERSEAL, words[0], disk, "--passphrase-file", secret, *words[1:]], check=False, **kwargs)
	os.unlink(secret)
	if done.returncode:
		raise RuntimeError(f"underseal {words[0]} ended with status {done.returncode}: "
			f"{(done.stderr or b'').decode().strip()}")
	return done.stdout


def protect(disk, partition, sector_bytes=512, passphrase=PASSPHRASE, options=CHEAP, **kwargs):
	"""Encrypts a partition of an image in place with the `underseal` command."""
	underseal(disk, passphrase, "protect", "--partition", str(partition), "--offline", "--sector-size", str(sector_bytes),
		*options, **kwargs)
	return disk


def recovery_key(disk):
	"""Adds a recovery key to the one protected partition of an image; its text."""
	return underseal(disk, PASSPHRASE, "enroll", "--recovery-key").decode().strip()


def data_disk(name, mib, sector_bytes=0, fill=None, lba_bytes=512):
	"""A disk of one `data` partition, encrypted when `sector_bytes` is given."""
	disk = image.data_disk(path(name), mib, fill, lba_bytes)
	return protect(disk, 1, sector_bytes) if sector_bytes else disk


def noise(name, mib):
	"""A file of random bytes, to fill a disk with."""
	with open("/dev/urandom", "rb") as source, open(path(name), "wb") as out:
		for _ in range(mib):
			out.write(source.read(1 << 20))
	return path(name)


def noisy_disk(name, mib, sector_bytes):
	"""A data disk of random contents."""
	contents = noise(f"{name}-noise", mib)
	disk = data_disk(name, mib, sector_bytes, contents)
	os.unlink(contents)
	return disk


def unlock(machine, passphrase=PASSPHRASE, seconds=30):
	"""Types the passphrase into the UEFI program."""
	machine.wait(PASSPHRASE_PROMPT, seconds)
	machine.send(passphrase + "\r")


@contextlib.contextmanager
def quick(name, disks, *, beneath=True, policy="", kernel_options="", passphrase=PASSPHRASE, ready=True,
		packaged=False, prepare=None, tpm=None, **machine):
	"""A quick machine at its shell (unless not `ready`), its system disk on virtio, `disks` as they say.
	`passphrase` is typed when it runs beneath underseal; None when no prompt is expected. `packaged`: with boot manager
	and kernel as they come, which one with a TPM always has, because the kernel's own stub hands on the firmware's log.
	`prepare` is given the system disk before the start."""
	system, following = quickdisk.make(path(f"{name}-system"), kernel_options, packaged or tpm is not None)
	if beneath:
		image.set_beneath(system, policy, following)
	if prepare:
		prepare(system)
	all_disks = [Disk(system, bus="virtio", boot=True), Disk(tools.tools(), bus="virtio", readonly=True, serial="tools")]
	with qemu.Machine(name, all_disks + list(disks), tpm=tpm, **machine) as started:
		if ready:
			if beneath and passphrase is not None:
				unlock(started, passphrase)
			at_shell(started)
			_wait_for_ata(started, disks)
		yield started
	os.unlink(system)


def _wait_for_ata(machine, disks):
	"""Linux looks for the drives of IDE controllers after their driver is loaded, in its own time."""
	if any(disk.bus == "ata" for disk in disks):
		count = sum(disk.bus in ("ata", "ahci") for disk in disks)
		machine.run(f"until [ $(ls /dev/sd?1 2>/dev/null | wc -l) -ge {count} ]; do sleep 0.1; done")


def at_shell(machine, seconds=30):
	"""Waits for the quick machine's shell."""
	machine.wait(r"GUEST-READY", seconds)
	machine.quiet_shell()


def debian(name, *, beneath=True, policy="", options=CHEAP, passphrase=PASSPHRASE):
	"""The disk of a Debian machine: its root encrypted and underseal in front of its boot manager, or as it is."""
	disk = image.debian_disk(path(name))
	if beneath:
		image.set_beneath(disk, policy)
		protect(disk, gpt.entry(disk, "root").number, passphrase=passphrase, options=options)
	return disk


def power_off(machine, command="poweroff -f"):
	"""Powers off from the guest's shell and waits for the machine to end."""
	machine.send(command + "\n")
	machine.wait_end(15)


# ---- what the hypervisor counts --------------------------------------------------------------------------

def _exits_of(stat):
	counters = json.loads(stat)["counters"]
	# What run-ahead counts are the exits that it saved, or did not.
	return {counter["name"]: counter["total"] for counter in counters
		if counter["name"] != "hypercall" and not counter["name"].startswith("run-ahead")}


def exits(machine, command="underseal"):
	"""The exits so far by reason, summed over the CPUs, without those that reading them takes."""
	return _exits_of(machine.run(f"{command} stat --json"))


def exits_between(before, after):
	return sum(after.values()) - sum(before.values())


IDLE = "sleep {}"
BUSY = "timeout {} sh -c 'while :; do :; done'"


def exits_and_ticks(machine, work, seconds):
	"""(exits, interrupts of the local APIC's timer), on all CPUs, of so long IDLE or BUSY. Nothing is printed meanwhile:
	the console has interrupts of its own. Starting a program costs both, so what no time takes is taken away."""
	def count(number):
		return f"underseal stat --json >/tmp/exits{number}; grep LOC: /proc/interrupts >/tmp/timer{number}"
	def during(length):
		machine.run(f"sleep 2; {count(0)}; {work.format(length)}; {count(1)}", length + 20)
		exits = [_exits_of(machine.run(f"cat /tmp/exits{number}")) for number in range(2)]
		lines = [machine.run(f"cat /tmp/timer{number}").split() for number in range(2)]
		timer = [sum(int(word) for word in line if word.isdigit()) for line in lines]
		return exits_between(*exits), timer[1] - timer[0]
	machine.run("sleep 5")  # what has just been started comes to rest
	(more_exits, more_ticks), (few_exits, few_ticks) = during(seconds), during(0.01)
	return more_exits - few_exits, more_ticks - few_ticks


def idle_exits(machine, seconds):
	"""Exits per second of a guest that has nothing to do."""
	return exits_and_ticks(machine, IDLE, seconds)[0] / seconds
