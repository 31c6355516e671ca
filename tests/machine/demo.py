# SPDX-License-Identifier: Apache-2.0
"""make demo: a real Debian disk is encrypted in place and boots beneath underseal, and what that looks like from
both sides. With --interactive (make run) the same machine, its console on this terminal. --disk (DISK=...) says on
what controller the disk is."""
import argparse
import json
import os
import sys

import gpt
import image
import places
import proof
import qemu
import setups
from qemu import Disk, Machine

# As long as a person would wait, on an emulated processor: argon2id over 64 MiB.
DERIVATION = ("--pbkdf-memory", "65536", "--iter-time", "300")
# As on hardware: the emulator needs the default only for CPUs that are started again, which nobody does here.
POLICY = "icr=fast\n"
IDLE_SECONDS = 5
READS = 1000
ROWS = 10
CONTROLLERS = {"ahci": qemu.FIRMWARE, "nvme": qemu.FIRMWARE, "ata": qemu.FIRMWARE_PC}

BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def step(text):
	print(f"{BOLD}==>{PLAIN} {text}", flush=True)


def note(text):
	print(f"    {text}", flush=True)


class Boot:
	"""Wall and CPU seconds to the login prompt, the key derivation's left out."""

	def __init__(self, machine, beneath):
		waited, used = 0.0, 0.0
		if beneath:
			machine.wait(setups.PASSPHRASE_PROMPT, 30)
			note(f"typing the passphrase: {setups.PASSPHRASE}")
			start = machine.seconds(), machine.cpu_seconds()
			machine.send(setups.PASSPHRASE + "\r")
			machine.wait(r"Unlocking [^\n]*done\.", 60)
			waited, used = machine.seconds() - start[0], machine.cpu_seconds() - start[1]
			note(f"unlocked; the key derivation took {waited:.1f} s")
		machine.wait("login: ", 60)
		self.wall, self.cpu = machine.seconds() - waited, machine.cpu_seconds() - used
		note(f"login prompt after {self.wall:.0f} s ({self.cpu:.0f} CPU seconds)")
		machine.send("root\n")
		machine.wait("Password: ")
		machine.send("root\n")
		machine.wait(r"root@[^\n]*# ")
		machine.quiet_shell()


def bare_boot(disk, firmware):
	step("booting it bare, to compare")
	with Machine("demo-bare", [disk], cpus=2, memory=1024, firmware=firmware) as machine:
		boot = Boot(machine, beneath=False)
		setups.power_off(machine, "poweroff")
	return boot


def encrypt(disk):
	number = gpt.entry(disk, "root").number
	step(f"underseal protect {os.path.relpath(disk)} --partition {number} --offline")
	setups.protect(disk, number, options=DERIVATION, capture_output=False)
	image.set_beneath(disk, POLICY)


def _measure(machine, node):
	"""Exits per second of an idle guest, and per 4 KiB read from its disk."""
	idle = setups.idle_exits(machine, IDLE_SECONDS)
	before = setups.exits(machine)
	machine.run(f"dd if={node} of=/dev/null bs=4k count={READS} iflag=direct")
	return idle, setups.exits_between(before, setups.exits(machine)) / READS


def beneath_boot(disk, firmware):
	step("booting it beneath underseal")
	with Machine("demo", [disk], cpus=2, memory=1024, firmware=firmware) as machine:
		boot = Boot(machine, beneath=True)
		for line in machine.run("underseal status").strip().splitlines():
			note(line)
		step(f"writing {proof.FILE} in the guest, and syncing")
		text, extents = proof.write(machine)
		memory = json.loads(machine.run("underseal status --json"))["reserved_mib"]
		idle, per_read = _measure(machine, disk.node(2))
		setups.power_off(machine, "poweroff")
	return boot, memory, idle, per_read, text, extents


def _printable(data):
	return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def show(seen):
	step(f"the same bytes three ways (disk sector {seen.sector} and on)")
	print()
	print(f"    {BOLD}{'the guest reads':18}{'on the disk':34}{'decrypted by stock tools'}{PLAIN}")
	for at in range(0, 16 * ROWS, 16):
		print(f"    {_printable(seen.guest[at:at + 16]):18}{seen.raw[at:at + 16].hex():34}"
			f"{_printable(seen.stock[at:at + 16])}")
	print()
	note(f"all {len(seen.guest)} bytes of the file: stock tools decrypt {'exactly' if seen.guest == seen.stock else 'NOT'} "
		"what the guest read")
	note("the text in clear anywhere on the disk: " + ("no" if seen.leak is None else f"YES, at byte {seen.leak}"))


def table(bare, beneath, memory, idle, per_read):
	print()
	print(f"    {BOLD}{'':38}{'bare':>10}{'beneath':>10}{PLAIN}")
	print(f"    {'boot to login, seconds':38}{bare.wall:10.1f}{beneath.wall:10.1f}")
	print(f"    {'boot to login, CPU seconds':38}{bare.cpu:10.1f}{beneath.cpu:10.1f}")
	print(f"    {'memory taken, MiB':38}{'-':>10}{memory:10}")
	print(f"    {'exits per second, idle, 2 CPUs':38}{'-':>10}{idle:10.1f}")
	print(f"    {'exits per 4 KiB read':38}{'-':>10}{per_read:10.2f}")
	print()


def demo(bus):
	step(f"a Debian disk: ESP with systemd-boot, ext4 root; it is on {bus.upper().replace('NVME', 'NVMe')}")
	disk = image.debian_disk(setups.path("demo"))
	note(f"{os.path.relpath(disk)}, {os.stat(disk).st_size >> 20} MiB")
	place = Disk(disk, bus=bus, boot=True)
	bare = bare_boot(place, CONTROLLERS[bus])
	encrypt(disk)
	beneath, memory, idle, per_read, text, extents = beneath_boot(place, CONTROLLERS[bus])
	seen = proof.Proof(disk, "root", setups.PASSPHRASE, text, extents)
	show(seen)
	table(bare, beneath, memory, idle, per_read)
	if not seen.holds():
		print("error: the three views do not agree as they must", file=sys.stderr)
		return 1
	note(f"make run gives you this machine on your terminal. Its disk is {os.path.relpath(disk)}.")
	return 0


def interactive(bus):
	disk = setups.path("run")
	if not os.path.exists(disk):
		unfinished = image.debian_disk(disk + ".new")
		encrypt(unfinished)
		os.rename(unfinished, disk)
	# The default policy: whoever works here may take a CPU offline and online again.
	image.set_beneath(disk, "")
	step(f"the passphrase is `{setups.PASSPHRASE}`, the login root, its password root; Ctrl-] ends the machine")
	note(f"remove {os.path.relpath(disk)} to start with a new disk")
	with Machine("run", [Disk(disk, bus=bus, boot=True)], cpus=2, memory=1024, firmware=CONTROLLERS[bus],
			reboots=True) as machine:
		machine.attach()
	return 0


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument("--interactive", action="store_true")
	parser.add_argument("--disk", default="ahci")
	asked = parser.parse_args()
	if asked.disk not in CONTROLLERS:
		print(f"error: there is no DISK={asked.disk}; it is one of {', '.join(CONTROLLERS)}", file=sys.stderr)
		return 2
	os.chdir(places.TREE)
	return (interactive if asked.interactive else demo)(asked.disk)


if __name__ == "__main__":
	try:
		sys.exit(main())
	except (RuntimeError, qemu.MachineError) as problem:
		print(f"error: {problem}", file=sys.stderr)
		sys.exit(1)
	except KeyboardInterrupt:
		sys.exit(130)
