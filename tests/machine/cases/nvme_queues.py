# SPDX-License-Identifier: Apache-2.0
"""A guest that drives an NVMe controller by queues of its own (tests/guest/queues/), and what it leaves on the disk."""
import dataclasses
import hashlib
import os
import re
import struct

import gpt
import guests
import setups
import stock
from case import case



@dataclasses.dataclass(frozen=True)
class Difference:
	"""A regular expression for lines of the program, what they say on the emulated controller alone and beneath, and
	why that is not the same, or not what is specified."""
	line: str
	bare: str
	beneath: str
	reason: str


ABSENT = "no line"
# The program says itself where a status is not the specified one; a row is for that as well.
DIFFERENCES = [
	Difference("delete cq (0|2, which is not there|ffff)", "100 not 101", "101",
		"QEMU says of an unknown queue that is to be deleted what is meant for a creation"),
	Difference("log page (0|7f)", "2 not 109", "109", "QEMU calls a log page that it does not have an invalid field"),
	Difference("abort in no queue", "2 not 0", "0", "best effort: what cannot be found is not aborted"),
	Difference("(identify at 1|read at 2) of a page|list at 4", "[04] not 13", "13",
		"the low bits of an address need not be looked at: QEMU leaves them out, or reads a list across its page"),
	Difference("read, scatter-gather", "f not 2", "2", "QEMU has scatter-gather lists; beneath they are hidden"),
	Difference("read namespace 2, inactive", "2", "b not 2",
		"a namespace that was not identified is not there, whether it could be or not"),
	Difference("cc (css [67]|mps 1)", "1 not 2", "2", "command sets and page sizes that are hidden beneath"),
	Difference("event of a doorbell out of range", "10100", "none", "such a doorbell is dropped, and no event tells of it"),
	Difference("hidden|(refused at|write to the header|deallocation of the header|admin .*q (in|at|beyond)|admin queues that) ?.*",
		ABSENT, ".*", "asked for beneath only: alone the controller would do it"),
	Difference("controller|pairs|entries|shared|seed|beneath", ".*", ".*", "what there is beneath is less, or another place"),
]

MIB = 32
BLOCK = 512
# Of the data partition, in MiB from its beginning; what lies behind is never written.
SCRATCH, WITNESS, REST = 0, 12, 16
MASK = (1 << 64) - 1


def _options(disk, more):
	entry, header = gpt.entry(disk, "data"), gpt.header_entry(disk)
	first = entry.start // BLOCK
	blocks = (1 << 20) // BLOCK
	return {"scratch_first": first + SCRATCH * blocks, "scratch_blocks": (WITNESS - SCRATCH) * blocks,
		"witness_first": first + WITNESS * blocks, "witness_blocks": (REST - WITNESS) * blocks,
		"guarded_first": header.start // BLOCK, "guarded_blocks": header.bytes // BLOCK, **more}


def _pattern(lba, blocks, salt=1):
	"""What the guest writes; see tests/guest/queues/data.c."""
	words = []
	for block in range(lba, lba + blocks):
		start = block * 0x9e3779b97f4a7c15 + salt * 0xbf58476d1ce4e5b9
		words += [(start + i * 0x94d049bb133111eb) & MASK for i in range(BLOCK // 8)]
	return struct.pack(f"<{len(words)}Q", *words)


def _rest(disk):
	"""Digests of what no command may change: the plaintext behind the ranges, and the header partition."""
	header = gpt.header_entry(disk)
	plain = stock.Volume(disk, "data", setups.PASSPHRASE).read(REST << 20, (MIB - REST) << 20)
	return [hashlib.sha256(data).hexdigest() for data in (plain, gpt.read(disk, header.start, header.bytes))]


def _judge(disk, options, before):
	volume = stock.Volume(disk, "data", setups.PASSPHRASE)
	wanted = _pattern(options["witness_first"], options["witness_blocks"])
	assert volume.read(WITNESS << 20, len(wanted)) == wanted, "stock tools decrypt something else than was written"
	assert stock.holds(disk, wanted[:BLOCK]) is None, "a block is on the medium in clear"
	assert _rest(disk) == before, "what no command may change has changed"


def drive(name, cpus, beneath=True, seconds=120, **options):
	"""The program to its end, then its disk; what it printed."""
	disk = setups.noisy_disk(f"{name}-disk", MIB, 512)
	before = _rest(disk)
	options = _options(disk, options)
	with guests.booted("queues", name, beneath=beneath, options=options, data=disk, bus="nvme", cpus=cpus) as machine:
		try:
			text = guests.finish(machine, seconds)
		except Exception as failed:
			raise AssertionError(f"{failed}\n      seed {guests.facts(machine.text()).get('seed', '?')}") from failed
		assert "panic" not in machine.debug_log(), machine.debug_log()[-2000:]
	if beneath:
		_judge(disk, options, before)
	os.unlink(disk)
	return guests.facts(text)


def _unexplained(bare, beneath):
	"""Lines that differ, or are not as specified, without a row; and rows that no line needs."""
	used, wrong = set(), []
	for line in list(bare) + [line for line in beneath if line not in bare]:
		one, other = bare.get(line, ABSENT), beneath.get(line, ABSENT)
		row = next((row for row in DIFFERENCES if re.fullmatch(row.line, line)), None)
		if row and re.fullmatch(row.bare, one) and re.fullmatch(row.beneath, other):
			used.add(row)
		elif row or one != other or " not " in one:
			wrong.append(f"{line}: bare {one}, beneath {other}")
	return wrong + [f"no line needs: {row.line}" for row in DIFFERENCES if row not in used]


@case("NVMe queues of every legal shape, and what is forbidden, answered as a controller alone does, but for a list", cost=5)
def nvme_queues():
	bare, beneath = drive("nvme-queues", 1, beneath=False), drive("nvme-queues", 1)
	wrong = _unexplained(bare, beneath)
	assert not wrong, "\n".join(wrong)


@case("commands at random on NVMe queues that come and go, beside one whose data stays whole, one CPU", cost=4)
def nvme_queues_random():
	drive("nvme-queues-random", 1, only="random", commands=12000)


@case("the same on four CPUs, one of which has the queue whose data stays whole", cost=4)
def nvme_queues_random_cpus():
	drive("nvme-queues-random-cpus", 4, only="random", commands=12000)
