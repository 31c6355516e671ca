# SPDX-License-Identifier: Apache-2.0
"""The system disk of the quick machine: Debian's kernel and a busybox.

An emulated processor unpacks a kernel longer than it boots one, so the kernel lies there unpacked and is started by
tests/guest/linux.c; or packed, as Debian ships it, and started by systemd-boot.
"""
import functools
import os
import shutil
import subprocess
import tarfile

import gpt
import image
import places
import programs
import unpacked

OPTIONS = f"{image.CONSOLE} quiet rdinit=/init"
LINUX = "linux"
BUSYBOX = "/bin/busybox"
FOLDERS = ("bin", "dev", "proc", "sys", "tmp", "tools", "modules", "mnt", "run")


def _initrd(path, parts):
	"""Not packed either."""
	tree = places.fresh(f"{path}-tree")
	for folder in FOLDERS:
		os.mkdir(f"{tree}/{folder}")
	shutil.copy(BUSYBOX, f"{tree}/bin/busybox")
	for applet in subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split():
		if applet != "busybox":
			os.symlink("busybox", f"{tree}/bin/{applet}")
	with tarfile.open(f"{parts}/modules.tar") as modules:
		modules.extractall(f"{tree}/modules")
	shutil.copy(f"{parts}/modules.list", f"{tree}/modules/")
	shutil.copy(f"{places.GUEST}/init", f"{tree}/init")
	names = "\n".join(os.path.relpath(os.path.join(folder, name), tree)
		for folder, folders, files in os.walk(tree) for name in folders + files)
	with open(path, "wb") as initrd:
		subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree, check=True, input=names.encode(),
			stdout=initrd)
	shutil.rmtree(tree)


@functools.cache
def parts():
	"""A folder with vmlinuz, the same unpacked as `kernel`, the memory that takes in `kernel_bytes`, and initrd.img."""
	debian = image.debian_parts()
	def build(out):
		_initrd(f"{out}/initrd.img", debian)
		shutil.copy(f"{debian}/vmlinuz", f"{out}/vmlinuz")
		with open(f"{out}/kernel_bytes", "w", encoding="ascii") as size:
			size.write(str(unpacked.flatten(f"{out}/vmlinuz", f"{out}/kernel")))
	with open(f"{places.GUEST}/init", encoding="utf-8") as init:
		return places.cached("quick-parts", f"{debian} {FOLDERS} {os.stat(BUSYBOX).st_size} {init.read()}", build)


def linux(kernel_options):
	"""(options, files beside them) of tests/guest/linux.c."""
	with open(f"{parts()}/kernel_bytes", encoding="ascii") as size:
		values = {"kernel_bytes": size.read(), "cmdline": kernel_options}
	return values, {name: f"{parts()}/{source}" for name, source in (("kernel", "kernel"), ("initrd", "initrd.img"))}


def _bare_disk():
	"""With all that no kernel option changes."""
	def build(out):
		_, beside = linux("")
		gpt.make_esp(f"{out}/esp", image.ESP_MIB)
		gpt.esp_put(f"{out}/esp", {f"EFI/guest/{name}": source for name, source in beside.items()})
		gpt.make(f"{out}/quick.img", [gpt.Part("ESP", gpt.TYPE_ESP, image.ESP_MIB, f"{out}/esp")])
		os.unlink(f"{out}/esp")
	return f"{places.cached('quick', f'{parts()} {image.ESP_MIB}', build)}/quick.img"


def _packaged_disk():
	def build(out):
		image.system_esp(f"{out}/esp", image.ESP_MIB, f"{parts()}/vmlinuz", f"{parts()}/initrd.img", OPTIONS)
		gpt.make(f"{out}/quick.img", [gpt.Part("ESP", gpt.TYPE_ESP, image.ESP_MIB, f"{out}/esp")])
		os.unlink(f"{out}/esp")
	return f"{places.cached('quick-packaged', f'{parts()} {image.ESP_MIB} {OPTIONS}', build)}/quick.img"


def make(path, kernel_options="", packaged=False):
	"""The system disk at `path`; (path, what starts it, as the policy file's `next` says it)."""
	line = f"{OPTIONS} {kernel_options}"
	if packaged:
		gpt.copy(_packaged_disk(), path)
		files, following = image.loader(line), image.SYSTEMD_BOOT_ON_ESP
	else:
		gpt.copy(_bare_disk(), path)
		following = programs.on_esp(LINUX)
		files = {following: programs.built(LINUX), image.FIRST_ON_ESP: programs.built(LINUX),
			programs.OPTIONS_ON_ESP: programs.options(linux(line)[0])}
	gpt.esp_put(path, files, gpt.entry(path, "ESP").start)
	return path, following
