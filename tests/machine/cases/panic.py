# SPDX-License-Identifier: Apache-2.0
"""A broken invariant of the hypervisor's own: made here by writing over the guard of a host stack."""
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


@case("a panic wipes the keys and says its number", cost=2)
def panic_wipes_keys():
	disk = setups.data_disk("panic-wipes-keys", 32, 512)
	volume = stock.Volume(disk, "data", setups.PASSPHRASE)
	stub = "/tmp/underseal-gdb-%d" % os.getpid()
	with setups.quick("panic-wipes-keys", [qemu.Disk(disk)], memory=512,
			options=("-gdb", f"unix:{stub},server=on,wait=off")) as machine:
		mib, address = re.search(r"(\d+) MiB at ([0-9a-f]+)", machine.debug_log()).groups()
		machine.pause()
		assert places_of_keys(machine, volume), "the search finds no key where one must be"
		guards = _guards(machine, int(address, 16), int(mib))
		assert guards, "no stack guard found"
		with GdbStub(stub) as gdb:
			for guard in guards:
				gdb.write(guard, bytes(8))
		machine.resume()
		# Any exit will do.
		machine.send("underseal stat >/dev/null\n")
		_wait_for_panic(machine)
		machine.pause()
		left = places_of_keys(machine, volume)
		assert not left, f"keys are still in RAM at {[hex(at) for at in left]}"
	os.unlink(stub)
