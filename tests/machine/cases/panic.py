# SPDX-License-Identifier: Apache-2.0
"""A broken invariant of the hypervisor's own: made here by writing over the guard of a host stack."""
import contextlib
import json
import os
import re
import time

import qemu
import setups
import stock
from case import case
from cases.unlock import places_of_keys
from gdbstub import GdbStub

STACK_GUARD = bytes.fromhex("65616c537461636b")  # STACK_PATTERN of hv/core/host.c, as it lies in memory


def _guards(machine, start, mib):
	"""The physical addresses of the stack guards in the hypervisor's memory."""
	path = f"{machine.directory}/memory"
	machine.dump_memory(path)
	with open(path, "rb") as dump:
		dump.seek(start)
		memory = dump.read(mib << 20)
	os.unlink(path)
	# The image and the stacks hold copies: a guard stands at the bottom of an area of 32 KiB.
	return [start + found.start() for found in re.finditer(re.escape(STACK_GUARD), memory)
		if found.start() % 8 == 0 and found.start() % 32768 < 4096]


def _wait_for_panic(machine):
	deadline = time.monotonic() + 10 * qemu.PATIENCE
	while not re.search("panic 2: .*host stack", machine.debug_log()):
		assert time.monotonic() < deadline, "no panic"
		time.sleep(0.1)


@contextlib.contextmanager
def _machine(name, disk, **options):
	"""A machine whose memory can be written over, and its stub."""
	stub = f"/tmp/underseal-gdb-{os.getpid()}"
	with setups.quick(name, [qemu.Disk(disk)], memory=512, options=("-gdb", f"unix:{stub},server=on,wait=off"),
			**options) as machine:
		yield machine, stub
	with contextlib.suppress(FileNotFoundError):  # a machine that powers off takes it along
		os.unlink(stub)


def _break(machine, stub):
	"""Overwrites every stack guard; any exit then ends in a panic."""
	mib, address = re.search(r"(\d+) MiB at ([0-9a-f]+)", machine.debug_log()).groups()
	machine.pause()
	guards = _guards(machine, int(address, 16), int(mib))
	assert guards, "no stack guard found"
	with GdbStub(stub) as gdb:
		for guard in guards:
			gdb.write(guard, bytes(8))
	machine.resume()
	machine.send("underseal stat >/dev/null\n")
	_wait_for_panic(machine)


@case("a panic wipes the keys and says its number", cost=2)
def panic_wipes_keys():
	disk = setups.data_disk("panic-wipes-keys", 32, 512)
	volume = stock.Volume(disk, "data", setups.PASSPHRASE)
	with _machine("panic-wipes-keys", disk, policy="panic=halt\n") as (machine, stub):
		machine.pause()
		assert places_of_keys(machine, volume), "the search finds no key where one must be"
		machine.resume()
		_break(machine, stub)
		machine.pause()
		left = places_of_keys(machine, volume)
		assert not left, f"keys are still in RAM at {[hex(at) for at in left]}"


@case("after a panic the machine starts anew, and shows what the one before has logged", cost=4)
def panic_log():
	disk = setups.data_disk("panic-log", 32, 512)
	with _machine("panic-log", disk, cpus=2, reboots=True) as (machine, stub):
		machine.run("! underseal log --previous")
		_break(machine, stub)
		setups.unlock(machine)
		machine.wait(r"stopped itself at its last run \(panic 2\)")
		setups.at_shell(machine)
		log = json.loads(machine.run("underseal log --previous --json"))
		assert log["end"] == "panic" and log["panic"] == 2, log
		text = log["text"]
		for line in (r"^underseal [\d.]+: ", r"^error: panic 2: cpu \d: host stack overflow$",
				r"^error: cpu \d \(APIC \d\): exit [a-z-]+, code [0-9a-f]+", r"^error: guest rip [0-9a-f]+ rflags",
				r"^error: guest r8 ", r"^error: exit \d+: code [0-9a-f]+ .* at rip [0-9a-f]+$"):
			assert re.search(line, text, re.MULTILINE), f"{line} is not in:\n{text}"
		assert len(re.findall(r"^error: cpu \d \(", text, re.MULTILINE)) == 2, text
		assert "panic of the hypervisor" in machine.run("underseal log --previous | tail -1")
		machine.send("reboot -f\n")
		setups.unlock(machine)
		setups.at_shell(machine)
		assert json.loads(machine.run("underseal log --previous --json"))["end"] == "reset"
		setups.power_off(machine)
