# SPDX-License-Identifier: Apache-2.0
"""One file seen three ways: by the guest that wrote it, on the raw medium, and decrypted by stock tools."""
import re

import gpt
import stock

FILE = "/root/known-text"
LINES = 64


def known_text():
	return "".join(f"Line {number:02} of a text that Debian wrote to its own root disk.\n" for number in range(1, LINES + 1))


def write(machine):
	"""Writes the file in the guest; returns what the guest reads once its cache is empty, and the partition's
	512-byte sectors that hold it."""
	machine.run(f"i=1; while [ $i -le {LINES} ]; do printf 'Line %02d of a text that Debian wrote to its own "
		f"root disk.\\n' $i; i=$((i+1)); done >{FILE} && sync && echo 3 >/proc/sys/vm/drop_caches")
	text = machine.run(f"cat {FILE}")
	extents = re.findall(r"^ +\d+: +\d+\.\. +\d+: +(\d+)\.\. +\d+: +(\d+):", machine.run(f"filefrag -b512 -v {FILE}"),
		re.MULTILINE)
	return text, [(int(first), int(count)) for first, count in extents]


def raw(disk, entry, extents):
	return b"".join(gpt.read(disk, entry.start + first * 512, count * 512) for first, count in extents)


def decrypted(volume, extents):
	# Extents are whole file system blocks of 4096 bytes, so whole cipher sectors too.
	return b"".join(volume.read(first * 512, count * 512) for first, count in extents)


class Proof:
	"""The three views of the file on the disk of a machine that is off, each as long as the file."""

	def __init__(self, disk, partition, passphrase, text, extents):
		volume = stock.Volume(disk, partition, passphrase)
		self.guest = text.encode()
		self.raw = raw(disk, volume.entry, extents)[:len(self.guest)]
		self.stock = decrypted(volume, extents)[:len(self.guest)]
		self.sector = volume.entry.start // 512 + extents[0][0]
		# The text of no line may stand anywhere on the disk.
		self.leak = stock.holds(disk, b"of a text that Debian wrote to its own root disk.")

	def holds(self):
		return self.guest == self.stock == known_text().encode() and self.raw != self.guest and self.leak is None
