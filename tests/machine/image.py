# SPDX-License-Identifier: Apache-2.0
"""The images machines boot from: a real Debian disk, and disks of data. That of the quick machine: quickdisk.py.

What takes long is kept in the cache by the recipe that made it; what a test gets is a private copy below build/.
`python3 image.py` (make image) builds everything there is and says where it lies.
"""
import functools
import os
import shutil
import subprocess
import sys

import debian
import gpt
import places
import tools

SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
SYSTEMD_BOOT_ON_ESP = "EFI/systemd/systemd-bootx64.efi"
FIRST_ON_ESP = "EFI/BOOT/BOOTX64.EFI"
POLICY_ON_ESP = "EFI/BOOT/underseal.conf"
COMMAND_ON_ESP = "underseal/underseal"

# A slow machine makes Linux doubt its timer: no_timer_check.
CONSOLE = "console=ttyS0,115200 no_timer_check"
DEBIAN_OPTIONS = f"root=PARTLABEL=root ro {CONSOLE} quiet"

ESP_MIB = 64
# Room for a header partition of 16 MiB behind the last partition, as an installer with foresight leaves it.
SLACK_MIB = 18


def say(text):
	print(text, flush=True)


@functools.cache
def debian_parts():
	"""The folder that tests/machine/guest/tree.sh has filled."""
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


def loader(kernel_options):
	entry = f"title Debian\nlinux /vmlinuz\ninitrd /initrd.img\noptions {kernel_options}\n"
	return {
		"loader/loader.conf": b"default debian\ntimeout 0\nconsole-mode keep\n",
		"loader/entries/debian.conf": entry.encode(),
	}


def system_esp(path, mib, kernel, initrd, kernel_options):
	gpt.make_esp(path, mib)
	gpt.esp_put(path, {FIRST_ON_ESP: SYSTEMD_BOOT, SYSTEMD_BOOT_ON_ESP: SYSTEMD_BOOT, "vmlinuz": kernel,
		"initrd.img": initrd, **loader(kernel_options)})


def debian_disk(path):
	"""A copy of the Debian disk at `path`: ESP with systemd-boot, ext4 root, free space behind it; root/root."""
	parts = debian_parts()
	def build(out):
		system_esp(f"{out}/esp", ESP_MIB, f"{parts}/vmlinuz", f"{parts}/initrd.img", DEBIAN_OPTIONS)
		gpt.make(f"{out}/debian.img", [gpt.Part("ESP", gpt.TYPE_ESP, ESP_MIB, f"{out}/esp"),
			gpt.Part("root", gpt.TYPE_ROOT, debian.ROOT_MIB, f"{parts}/root.ext4")], SLACK_MIB)
		os.unlink(f"{out}/esp")
	recipe = f"{parts} {DEBIAN_OPTIONS} {ESP_MIB} {SLACK_MIB} {os.stat(SYSTEMD_BOOT).st_size}"
	return gpt.copy(f"{places.cached('disk', recipe, build)}/debian.img", path)


def policy_text(policy="", following=SYSTEMD_BOOT_ON_ESP):
	"""The policy file of set_beneath()."""
	return "next=\\" + following.replace("/", "\\") + "\ndebug=1\n" + policy


def set_beneath(path, policy="", following=SYSTEMD_BOOT_ON_ESP):
	"""Puts underseal.efi in front of what starts the disk, its boot manager or `following`, and the `underseal` command
	where the guest finds it. `policy` adds lines to the policy file."""
	gpt.esp_put(path, {FIRST_ON_ESP: places.UNDERSEAL_EFI, POLICY_ON_ESP: policy_text(policy, following).encode(),
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
	path = debian_disk(f"{places.IMAGES}/debian.img")
	say(f"debian  {os.path.relpath(path)} ({os.stat(path).st_blocks >> 11} of {os.stat(path).st_size >> 20} MiB)")
	say(f"tools   {os.path.relpath(tools.tools())}")


if __name__ == "__main__":
	main()
