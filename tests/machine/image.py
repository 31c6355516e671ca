# SPDX-License-Identifier: Apache-2.0
"""The images machines boot from: a real Debian disk and the system disk of the quick machine.

What takes long is kept in the cache by the recipe that made it; what a test gets is a private copy below build/.
`python3 image.py` (make image) builds everything there is and says where it lies.
"""
import functools
import gzip
import os
import shutil
import subprocess
import sys
import tarfile

import debian
import gpt
import places
import tools
import unpacked

SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
SYSTEMD_BOOT_ON_ESP = "EFI/systemd/systemd-bootx64.efi"
FIRST_ON_ESP = "EFI/BOOT/BOOTX64.EFI"
POLICY_ON_ESP = "EFI/BOOT/underseal.conf"
COMMAND_ON_ESP = "underseal/underseal"

# A slow machine makes Linux doubt its timer: no_timer_check.
CONSOLE = "console=ttyS0,115200 no_timer_check"
DEBIAN_OPTIONS = f"root=PARTLABEL=root ro {CONSOLE} quiet"
QUICK_OPTIONS = f"{CONSOLE} quiet rdinit=/init"

ESP_MIB = 64
# Room for a header partition of 16 MiB behind the last partition, as an installer with foresight leaves it.
SLACK_MIB = 18


def say(text):
	print(text, flush=True)


@functools.cache
def _debian_parts():
	def build(out):
		say("building a Debian disk with mmdebstrap; a minute or three, once ...")
		with open(f"{out}/log", "w", encoding="utf-8") as log:
			try:
				debian.build(out, log)
			except subprocess.CalledProcessError:
				os.makedirs(places.IMAGES, exist_ok=True)
				shutil.copy(f"{out}/log", f"{places.IMAGES}/mmdebstrap.log")
				raise RuntimeError("mmdebstrap failed; its last words are at the end of "
					"build/images/mmdebstrap.log") from None
	return places.cached("debian", debian.recipe(), build)


def _loader(kernel_options):
	entry = f"title Debian\nlinux /vmlinuz\ninitrd /initrd.img\noptions {kernel_options}\n"
	return {
		"loader/loader.conf": b"default debian\ntimeout 0\nconsole-mode keep\n",
		"loader/entries/debian.conf": entry.encode(),
	}


def _system_esp(path, mib, kernel, initrd, kernel_options):
	gpt.make_esp(path, mib)
	gpt.esp_put(path, {FIRST_ON_ESP: SYSTEMD_BOOT, SYSTEMD_BOOT_ON_ESP: SYSTEMD_BOOT, "vmlinuz": kernel,
		"initrd.img": initrd, **_loader(kernel_options)})


def debian_disk(path):
	"""A copy of the Debian disk at `path`: ESP with systemd-boot, ext4 root, free space behind it; root/root."""
	parts = _debian_parts()
	def build(out):
		_system_esp(f"{out}/esp", ESP_MIB, f"{parts}/vmlinuz", f"{parts}/initrd.img", DEBIAN_OPTIONS)
		gpt.make(f"{out}/debian.img", [gpt.Part("ESP", gpt.TYPE_ESP, ESP_MIB, f"{out}/esp"),
			gpt.Part("root", gpt.TYPE_ROOT, debian.ROOT_MIB, f"{parts}/root.ext4")], SLACK_MIB)
		os.unlink(f"{out}/esp")
	recipe = f"{parts} {DEBIAN_OPTIONS} {ESP_MIB} {SLACK_MIB} {os.stat(SYSTEMD_BOOT).st_size}"
	return gpt.copy(f"{places.cached('disk', recipe, build)}/debian.img", path)


def _quick_initrd(out, parts):
	tree = places.fresh(f"{out}/tree")
	for folder in ("bin", "dev", "proc", "sys", "tmp", "tools", "modules", "mnt", "run"):
		os.mkdir(f"{tree}/{folder}")
	shutil.copy("/bin/busybox", f"{tree}/bin/busybox")
	with tarfile.open(f"{parts}/modules.tar") as modules:
		modules.extractall(f"{tree}/modules")
	shutil.copy(f"{parts}/modules.list", f"{tree}/modules/")
	shutil.copy(f"{places.GUEST}/init", f"{tree}/init")
	names = "\n".join(os.path.relpath(os.path.join(folder, name), tree)
		for folder, folders, files in os.walk(tree) for name in folders + files)
	archive = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree, check=True,
		input=names.encode(), stdout=subprocess.PIPE).stdout
	with gzip.open(f"{out}/initrd.img", "wb", compresslevel=1) as initrd:
		initrd.write(archive)
	shutil.rmtree(tree)


@functools.cache
def _quick_parts():
	parts = _debian_parts()
	def build(out):
		_quick_initrd(out, parts)
		_system_esp(f"{out}/esp", ESP_MIB, f"{parts}/vmlinuz", f"{out}/initrd.img", QUICK_OPTIONS)
		gpt.make(f"{out}/quick.img", [gpt.Part("ESP", gpt.TYPE_ESP, ESP_MIB, f"{out}/esp")])
		os.unlink(f"{out}/esp")
	with open(f"{places.GUEST}/init", encoding="utf-8") as init:
		recipe = f"{parts} {QUICK_OPTIONS} {ESP_MIB} {init.read()}"
	return places.cached("quick", recipe, build)


def quick_disk(path, kernel_options=""):
	"""The quick machine's system disk at `path`: ESP with systemd-boot, Debian's kernel, a busybox initrd."""
	gpt.copy(f"{_quick_parts()}/quick.img", path)
	if kernel_options:
		gpt.esp_put(path, _loader(f"{QUICK_OPTIONS} {kernel_options}"), gpt.entry(path, "ESP").start)
	return path


def unpacked_linux():
	"""(kernel, initrd, bytes of memory) of the quick machine for tests/guest/linux.c."""
	parts = _debian_parts()
	def build(out):
		with open(f"{out}/bytes", "w", encoding="ascii") as size:
			size.write(str(unpacked.flatten(f"{parts}/vmlinuz", f"{out}/kernel")))
	folder = places.cached("kernel", parts, build)
	with open(f"{folder}/bytes", encoding="ascii") as size:
		return f"{folder}/kernel", f"{_quick_parts()}/initrd.img", int(size.read())


def policy_text(policy=""):
	"""The policy file of set_beneath()."""
	return "next=\\" + SYSTEMD_BOOT_ON_ESP.replace("/", "\\") + "\ndebug=1\n" + policy


def set_beneath(path, policy=""):
	"""Puts underseal.efi in front of the disk's boot manager, and the `underseal` command where the guest finds it.
	`policy` adds lines to the policy file."""
	gpt.esp_put(path, {FIRST_ON_ESP: places.UNDERSEAL_EFI, POLICY_ON_ESP: policy_text(policy).encode(),
		COMMAND_ON_ESP: places.UNDERSEAL}, gpt.entry(path, "ESP").start)
	return path


def data_disk(path, mib, fill=None, lba_bytes=512):
	"""A disk of one partition named `data`, with room for a header behind it; `fill` is a file of its contents."""
	if lba_bytes != gpt.SECTOR:
		# In a file sgdisk knows no other sectors.
		subprocess.run([sys.executable, f"{places.TREE}/tests/host/mkgpt.py", path, str(1 + mib + SLACK_MIB + 1),
			str(lba_bytes), f"linux:1024:{mib * 1024}:data"], check=True)
		return path
	gpt.make(path, [gpt.Part("data", gpt.TYPE_DATA, mib, fill or "")], SLACK_MIB)
	return path


def main():
	for name, build in (("debian", debian_disk), ("quick", quick_disk)):
		path = build(f"{places.IMAGES}/{name}.img")
		say(f"{name:7} {os.path.relpath(path)} ({os.stat(path).st_blocks >> 11} of {os.stat(path).st_size >> 20} MiB)")
	say(f"tools   {os.path.relpath(tools.tools())}")


if __name__ == "__main__":
	main()
