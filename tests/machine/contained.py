# SPDX-License-Identifier: Apache-2.0
"""Whether every CPU of a running machine is beneath: it reads and writes plaintext, the hypervisor answers it and counts
it. A CPU outside reads ciphertext, and for it the hypercall is an invalid instruction."""
import hashlib
import json

import setups
import stock

BLOCK = 4096
MARKER = "UNDERSEAL-CONTAINED-"


def _block(text):
	"""What `yes TEXT` fills a block with."""
	return (f"{text}\n" * (BLOCK // (len(text) + 1) + 1)).encode()[:BLOCK]


def _hypercalls(machine, cpu):
	counters = json.loads(machine.run("underseal stat --json"))["counters"]
	return next(row for row in counters if row["name"] == "hypercall")["cpu"][cpu]


class Witness:
	"""Blocks at the start of /dev/sda1, the machine's protected disk: each CPU writes one in each round."""

	def __init__(self):
		self._texts = []

	def check(self, machine, cpus):
		assert machine.run("nproc").strip() == str(cpus)
		assert json.loads(machine.run("underseal status --json"))["cpus"] == cpus
		for cpu in range(cpus):
			self._write(machine, cpu)
		wanted = hashlib.sha256(b"".join(map(_block, self._texts))).hexdigest()
		for cpu in range(cpus):
			on = f"taskset {1 << cpu:x}"
			before = _hypercalls(machine, cpu)
			seen = machine.run(f"{on} dd if=/dev/sda1 bs={BLOCK} count={len(self._texts)} iflag=direct 2>/dev/null | "
				"sha256sum").split()[0]
			assert seen == wanted, f"CPU {cpu} reads something else than was written"
			machine.run(f"{on} underseal status")
			assert _hypercalls(machine, cpu) > before, f"the hypervisor does not count CPU {cpu}"

	def _write(self, machine, cpu):
		text = f"{MARKER}{len(self._texts)}-cpu-{cpu}"
		machine.run(f"yes {text} | head -c {BLOCK} >/tmp/block; taskset {1 << cpu:x} dd if=/tmp/block of=/dev/sda1 "
			f"bs={BLOCK} seek={len(self._texts)} oflag=direct conv=fsync,notrunc")
		self._texts.append(text)

	def judge(self, disk):
		"""After the power-off: stock tools decrypt every block, and none is on the medium in clear."""
		volume = stock.Volume(disk, "data", setups.PASSPHRASE)
		assert volume.read(0, BLOCK * len(self._texts)) == b"".join(map(_block, self._texts)), "not what CPUs wrote"
		assert stock.holds(disk, MARKER.encode()) is None, "a CPU wrote plaintext to the medium"
