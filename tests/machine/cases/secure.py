# SPDX-License-Identifier: Apache-2.0
"""Secure Boot: firmware that checks signatures, and keeps its variables in system management mode."""
import os
import subprocess

import gpt
import image
import places
import setups
from case import case
from qemu import FIRMWARE_SECURE, Disk

# The key that OVMF's packaged variables trust. It is public: a test key.
KEY = "/usr/share/ovmf/PkKek-1-snakeoil.key"
KEY_PASSWORD = "snakeoil"
CERTIFICATE = "/usr/share/ovmf/PkKek-1-snakeoil.pem"


def _key():
	"""The test key without its password, as a file."""
	path = f"{places.IMAGES}/snakeoil.key"
	os.makedirs(places.IMAGES, exist_ok=True)
	subprocess.run(["openssl", "rsa", "-in", KEY, "-passin", f"pass:{KEY_PASSWORD}", "-out", path], check=True,
		capture_output=True)
	return path


def signed_underseal():
	"""The UEFI program as that firmware starts it."""
	subprocess.run(["make", "-s", "-C", places.TREE, "sign", f"KEY={_key()}", f"CERT={CERTIFICATE}"], check=True,
		capture_output=True)
	return f"{places.BUILD}/underseal-signed.efi"


def _sign_system(disk, own):
	"""Signs the boot manager and the kernel on a system disk, and puts `own` in front of them."""
	esp = gpt.entry(disk, "ESP").start
	for name in (image.SYSTEMD_BOOT_ON_ESP, "vmlinuz"):
		file = f"{disk}.file"
		gpt.esp_get(disk, name, file, esp)
		subprocess.run(["sbsign", "--key", _key(), "--cert", CERTIFICATE, "--output", file, file], check=True,
			capture_output=True)
		gpt.esp_put(disk, {name: file}, esp)
		os.unlink(file)
	gpt.esp_put(disk, {image.FIRST_ON_ESP: own}, esp)


def machine_of(name, disk, own, **kwargs):
	"""A quick machine with Secure Boot, whose system disk starts with the program `own`."""
	return setups.quick(name, [Disk(disk)], memory=1024, firmware=FIRMWARE_SECURE, packaged=True,
		prepare=lambda system: _sign_system(system, own), **kwargs)


SECURE_BOOT = "8be4df61-93ca-11d2-aa0d-00e098032b8c-SecureBoot"
OWN = "7c3a1a04-8d1e-4b0e-9a56-2f6d3f0c5b11-UndersealTest"


@case("Secure Boot: the signed program boots; variables are written and read by Linux beneath, two CPUs", cost=7)
def secure_boot():
	disk = setups.data_disk("secure-boot", 32, 512)
	with machine_of("secure-boot", disk, signed_underseal(), cpus=2) as machine:
		machine.run("mount -t efivarfs efivarfs /sys/firmware/efi/efivars")
		assert machine.run(f"efivar -d -n {SECURE_BOOT}").strip() == "1", "Secure Boot is not on"
		before = setups.exits(machine)["smi"]
		for turn, cpu in enumerate((1, 2, 1)):
			machine.run(f"printf 'turn-{turn}' >/tmp/value")
			machine.run(f"taskset {cpu} efivar -w -n {OWN} -f /tmp/value -t 7")
			assert f"turn-{turn}" in machine.run(f"taskset {3 - cpu} efivar -p -n {OWN}"), "the variable has another value"
		assert setups.exits(machine)["smi"] > before, "no SMI has been seen: nothing was tested"
		machine.run("dd if=/dev/urandom of=/tmp/data bs=1M count=4 && dd if=/tmp/data of=/dev/sda1 conv=fsync")
		machine.run("echo 3 >/proc/sys/vm/drop_caches; head -c 4194304 /dev/sda1 | cmp - /tmp/data")
		for cpu in range(2):
			machine.run(f"taskset {1 << cpu} underseal status")
		setups.power_off(machine)


@case("Secure Boot: the unsigned program is refused by the firmware", cost=2)
def secure_boot_unsigned():
	disk = setups.data_disk("secure-boot-unsigned", 32, 512)
	with machine_of("secure-boot-unsigned", disk, places.UNDERSEAL_EFI, ready=False) as machine:
		machine.wait("Access Denied")
		assert "Underseal" not in machine.text(), "the unsigned program has run"
