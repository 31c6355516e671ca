# SPDX-License-Identifier: Apache-2.0
"""A Linux kernel as it lies in memory after its own decompressor, which takes an emulated processor minutes."""
import lzma
import struct

BASE = 0x1000000  # where tests/guest/linux.c puts it
LOAD = 1

# Offsets of the boot protocol's header in a bzImage (Documentation/arch/x86/boot.rst).
SETUP_SECTORS, PAYLOAD, PAYLOAD_BYTES = 0x1f1, 0x248, 0x24c


def _elf(path):
	with open(path, "rb") as image:
		whole = image.read()
	begin, length = struct.unpack_from("<II", whole, PAYLOAD)
	begin += (whole[SETUP_SECTORS] + 1) * 512
	return lzma.LZMADecompressor().decompress(whole[begin:begin + length])


def _segments(elf):
	"""(address, bytes in memory, contents) of each that is loaded (ELF-64, program headers)."""
	table, = struct.unpack_from("<Q", elf, 32)
	size, count = struct.unpack_from("<HH", elf, 54)
	for number in range(count):
		kind, _, offset, _, address, held, memory = struct.unpack_from("<IIQQQQQ", elf, table + number * size)
		if kind == LOAD:
			yield address, memory, elf[offset:offset + held]


def flatten(bzimage, path):
	"""Writes the kernel's memory from BASE on to `path`; zeros at its end are left out. Returns the bytes it takes."""
	elf = _elf(bzimage)
	assert struct.unpack_from("<Q", elf, 24)[0] == BASE, "the kernel is entered somewhere else"
	memory, end = bytearray(), 0
	for address, size, contents in _segments(elf):
		at = address - BASE
		memory.extend(bytes(max(0, at + len(contents) - len(memory))))
		memory[at:at + len(contents)] = contents
		end = max(end, at + size)
	with open(path, "wb") as out:
		out.write(memory.rstrip(b"\0"))
	return end
