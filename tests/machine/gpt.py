# SPDX-License-Identifier: Apache-2.0
"""Raw disk images with a GPT: made, copied, read, and their ESP's files changed, without root and loop devices."""
import dataclasses
import os
import struct
import subprocess
import uuid

MIB = 1 << 20
SECTOR = 512
TYPE_ESP = "ef00"
TYPE_ROOT = "8304"
TYPE_DATA = "8300"
HEADER_TYPE = bytes.fromhex("4a395d1df1ed60498ec5fe12396a73c0")
MTOOLS = dict(os.environ, MTOOLS_SKIP_CHECK="1")


@dataclasses.dataclass
class Part:
	"""A partition to make: its contents are the file `source`, or nothing."""
	name: str
	type: str
	mib: int
	source: str = ""


@dataclasses.dataclass
class Entry:
	"""A partition that was found."""
	number: int
	type: bytes
	guid: str
	name: str
	start: int
	bytes: int


def make(path, parts, slack_mib=0, gap_mib=1):
	"""A disk of those partitions in order, the first one `gap_mib` from the start, `slack_mib` free at the end."""
	arguments, at = [], gap_mib
	for number, part in enumerate(parts, 1):
		arguments += ["-n", f"{number}:{at * MIB // SECTOR}:+{part.mib}M",
			"-t", f"{number}:{part.type}", "-c", f"{number}:{part.name}"]
		at += part.mib
	with open(path, "wb") as image:
		image.truncate((at + slack_mib + 1) * MIB)
	subprocess.run(["sgdisk", "-a", "1", *arguments, path], check=True, stdout=subprocess.DEVNULL)
	at = gap_mib
	for part in parts:
		if part.source:
			subprocess.run(["dd", f"if={part.source}", f"of={path}", f"bs={MIB}", f"seek={at}",
				"conv=notrunc,sparse", "status=none"], check=True)
		at += part.mib


def copy(source, target):
	"""A private copy that costs little: shared blocks where the file system has them, holes kept."""
	os.makedirs(os.path.dirname(target), exist_ok=True)
	subprocess.run(["cp", "--reflink=auto", "--sparse=always", source, target], check=True)
	return target


def _header(image):
	"""(bytes of a logical sector, the header that stands in the second one)"""
	for sector in (SECTOR, 4096):
		image.seek(sector)
		header = image.read(92)
		if header[:8] == b"EFI PART":
			return sector, header
	raise ValueError(f"{image.name} has no GPT")


def entries(path):
	with open(path, "rb") as image:
		sector, header = _header(image)
		table, count, size = struct.unpack_from("<QII", header, 72)
		image.seek(table * sector)
		rows = image.read(count * size)
	found = []
	for number in range(count):
		row = rows[number * size:(number + 1) * size]
		if any(row[:16]):
			first, last = struct.unpack_from("<QQ", row, 32)
			name = row[56:128].decode("utf-16-le").rstrip("\0")
			found.append(Entry(number + 1, row[:16], str(uuid.UUID(bytes_le=row[16:32])), name, first * sector, (last - first + 1) * sector))
	return found


def entry(path, name):
	return next(found for found in entries(path) if found.name == name)


def header_entry(path, data=None):
	"""The LUKS2 header partition of the volume in the partition `data`, or of the disk's only one."""
	return next(found for found in entries(path) if found.type == HEADER_TYPE and
		(data is None or found.name == f"underseal:{data.guid[:8]}"))


def read(path, start, length):
	with open(path, "rb") as image:
		image.seek(start)
		return image.read(length)


def write(path, start, data):
	with open(path, "r+b") as image:
		image.seek(start)
		image.write(data)


# ---- the ESP ---------------------------------------------------------------------------------------------

def make_esp(path, mib):
	with open(path, "wb") as image:
		image.truncate(mib * MIB)
	subprocess.run(["mkfs.vfat", "-F", "32", "-n", "ESP", path], check=True, stdout=subprocess.DEVNULL)


def esp_get(path, name, target, start=0):
	"""Copies a file out of the FAT that begins at byte `start` of the image."""
	subprocess.run(["mcopy", "-o", "-i", f"{path}@@{start}", f"::/{name}", target], env=MTOOLS, check=True)


def esp_put(path, files, start=0):
	"""Copies files into the FAT that begins at byte `start` of the image: {path on the ESP: a file's path, or bytes}."""
	at = f"{path}@@{start}"
	folders = sorted({name.rsplit("/", depth)[0] for name in files for depth in range(1, name.count("/") + 1)})
	for folder in folders:
		subprocess.run(["mmd", "-D", "s", "-i", at, f"::/{folder}"], env=MTOOLS, stdin=subprocess.DEVNULL,
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
	for name, source in files.items():
		if isinstance(source, bytes):
			subprocess.run(["mcopy", "-o", "-i", at, "-", f"::/{name}"], env=MTOOLS, input=source, check=True)
		else:
			subprocess.run(["mcopy", "-o", "-i", at, source, f"::/{name}"], env=MTOOLS, check=True)
