# SPDX-License-Identifier: Apache-2.0
"""The tools disk of the quick machine: programs of this machine (a Debian of the same release) with the libraries
they are linked against, as one read-only ext4 image. A disk and not part of the initrd, so that a boot does not
unpack a hundred megabytes that most tests never touch."""
import functools
import os
import re
import shutil
import subprocess

import places

PROGRAMS = ["/usr/bin/fio", "/usr/bin/openssl", "/usr/bin/efivar", "/usr/sbin/sgdisk"]
# What they load by name.
LOADED = ["/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0"]
SOURCES = ("probe", "kexec")  # of guest/NAME.c
# Of guest/NAME.c with the product's freestanding parts.
SOURCES_WITH_PRODUCT = ("unseal",)
PRODUCT = (f"{places.BUILD}/tool/installer/port.o", f"{places.BUILD}/tool/libstorage.a",
	"/usr/lib/x86_64-linux-gnu/libargon2.a", "/usr/lib/x86_64-linux-gnu/libcrypto.a")
IMAGE = f"{places.IMAGES}/tools.ext4"


def _libraries(program):
	linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
	return re.findall(r"(?:=> |^\s+)(/[^ ]+) \(0x", linked, re.MULTILINE)


def _newest(paths):
	return max(os.stat(path).st_mtime for path in paths)


def _built(name, parts=()):
	source, program = f"{places.GUEST}/{name}.c", f"{places.IMAGES}/{name}"
	if not os.path.exists(program) or os.stat(program).st_mtime < _newest([source, *parts]):
		subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", f"-I{places.TREE}", "-o", program,
			source, *parts], check=True)
	return program


@functools.cache
def tools():
	"""The image's path, made anew when one of its programs is newer; one run sees one image."""
	os.makedirs(places.IMAGES, exist_ok=True)
	with places.locked(IMAGE + ".lock"):
		return _make()


def _make():
	programs = PROGRAMS + [_built(name) for name in SOURCES]
	programs += [_built(name, PRODUCT) for name in SOURCES_WITH_PRODUCT] + ([places.UNDERSEAL] if os.path.exists(places.UNDERSEAL) else [])
	scripts = [f"{places.GUEST}/{name}" for name in ("mark.sh",)]
	if os.path.exists(IMAGE) and os.stat(IMAGE).st_mtime > _newest(programs + scripts + [__file__]):
		return IMAGE
	tree = places.fresh(f"{places.IMAGES}/tools")
	os.makedirs(f"{tree}/bin")
	for path in programs + scripts:
		shutil.copy2(path, f"{tree}/bin/")
	for library in {library for program in programs + LOADED for library in _libraries(program)} | set(LOADED):
		target = tree + (library if library.startswith("/lib64/") else "/usr" + library.removeprefix("/usr"))
		os.makedirs(os.path.dirname(target), exist_ok=True)
		shutil.copy(library, target)
	os.makedirs(f"{tree}/usr/bin", exist_ok=True)
	os.symlink("usr/lib", f"{tree}/lib")
	unfinished = IMAGE + ".new"
	with open(unfinished, "wb") as image:
		image.truncate(192 << 20)
	subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", "tools", "-d", tree, unfinished],
		check=True)
	os.rename(unfinished, IMAGE)
	shutil.rmtree(tree)
	return IMAGE
