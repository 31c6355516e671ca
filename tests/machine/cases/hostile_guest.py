# SPDX-License-Identifier: Apache-2.0
"""A guest that does everything at random on every CPU (tests/guest/hostile/), and what is left of the disk after it."""
import os

import gpt
import guests
import setups
import stock
from case import case
from qemu import Disk

MIB = 32


def _next_boot_reads(name, disk, digest):
	with setups.quick(f"{name}-next", [Disk(disk)]) as machine:
		seen = machine.run("openssl dgst -sha256 -r /dev/sda1", 60).split()[0]
		setups.power_off(machine)
	assert seen == digest, "the next boot reads another plaintext"


def fuzz(name, cpus, options):
	"""The program to its end, then its disk: judged by stock tools, and by a next boot."""
	disk = setups.noisy_disk(f"{name}-disk", MIB, 512)
	digest = stock.Volume(disk, "data", setups.PASSPHRASE).sha256()
	header = gpt.header_entry(disk)
	options = options | {"guarded_first": header.start // gpt.SECTOR,
		"guarded_last": (header.start + header.bytes) // gpt.SECTOR - 1}
	with guests.booted("hostile", name, beneath=True, options=options, data=disk, cpus=cpus) as machine:
		try:
			text = guests.finish(machine, 120)
		except Exception as failed:
			raise AssertionError(f"{failed}\n      seed {guests.facts(machine.text()).get('seed', '?')}") from failed
		assert "panic" not in machine.debug_log(), machine.debug_log()[-2000:]
	assert guests.facts(text)["beneath"] == "1"
	assert stock.Volume(disk, "data", setups.PASSPHRASE).sha256() == digest, "the plaintext has changed"
	_next_boot_reads(name, disk, digest)
	os.unlink(disk)
	return guests.facts(text)


@case("a guest that does everything at random on one CPU: it goes on, and the disk stays whole", cost=4)
def hostile_guest():
	fuzz("hostile-guest", 1, {})


@case("the same on four CPUs, that interrupt and start each other", cost=5)
def hostile_guest_cpus():
	fuzz("hostile-guest-cpus", 4, {"steps": 2000})
