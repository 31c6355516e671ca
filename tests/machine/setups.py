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


def protect(disk, partition, sector_bytes=512, passphrase=PASSPHRASE, options=CHEAP, **kwargs):
	"""Encrypts a partition of an image in place with the `underseal` command."""
	secret = f"{disk}.passphrase"
	with open(secret, "w", encoding="utf-8") as out:
		out.write(passphrase + "\n")
	command = [places.UNDERSEAL, "protect", disk, "--partition", str(partition), "--offline",
		"--passphrase-file", secret, "--sector-size", str(sector_bytes), *options]
	kwargs.setdefault("capture_output", True)
	done = subprocess.run(command, check=False, **kwargs)
	os.unlink(secret)
	if done.returncode:
		raise RuntimeError(f"underseal protect ended with status {done.returncode}: "
			f"{(done.stderr or b'').decode().strip()}")
	return disk


def data_disk(name, mib, sector_bytes=0, fill=None):
	"""A disk of one `data` partition, encrypted when `sector_bytes` is given."""
	disk = image.data_disk(path(name), mib, fill)
	return protect(disk, 1, sector_bytes) if sector_bytes else disk


def unlock(machine, passphrase=PASSPHRASE, seconds=30):
	"""Types the passphrase into the UEFI program."""
	machine.wait(PASSPHRASE_PROMPT, seconds)
	machine.send(passphrase + "\r")


@contextlib.contextmanager
def quick(name, disks, *, beneath=True, policy="", kernel_options="", passphrase=PASSPHRASE, ready=True,
		prepare=None, **machine):
	"""A quick machine at its shell (unless not `ready`), its system disk on virtio, `disks` on AHCI.
	`passphrase` is typed when it runs beneath underseal; None when no prompt is expected. `prepare` is given the
	system disk before the start."""
	system = image.quick_disk(path(f"{name}-system"), kernel_options)
	if beneath:
		image.set_beneath(system, policy)
	if prepare:
		prepare(system)
	all_disks = [Disk(system, bus="virtio", boot=True), Disk(tools.tools(), bus="virtio", readonly=True, serial="tools")]
	with qemu.Machine(name, all_disks + list(disks), **machine) as started:
		if ready:
			if beneath and passphrase is not None:
				unlock(started, passphrase)
			at_shell(started)
		yield started
	os.unlink(system)


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

def exits(machine, command="underseal"):
	"""The exits so far by reason, summed over the CPUs, without those that reading them takes."""
	counters = json.loads(machine.run(f"{command} stat --json"))["counters"]
	# What run-ahead counts are the exits that it saved, or did not.
	return {counter["name"]: counter["total"] for counter in counters
		if counter["name"] != "hypercall" and not counter["name"].startswith("run-ahead")}


def exits_between(before, after):
	return sum(after.values()) - sum(before.values())


def idle_exits(machine, seconds):
	"""Exits per second of a guest that has nothing to do. Starting a program costs exits (CPUID, in its loader), so
	what a sleep of no time takes is taken away."""
	def during(length):
		before = exits(machine)
		machine.run(f"sleep {length}")
		return exits_between(before, exits(machine))
	machine.run("sleep 5")  # what has just been started comes to rest
	return (during(seconds) - during(0)) / seconds
