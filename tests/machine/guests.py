# SPDX-License-Identifier: Apache-2.0
"""Programs of ours in the place of a system (tests/guest/): bare, or beneath underseal on the same machine."""
import contextlib
import os

import bochs
import gpt
import image
import places
import programs
import setups
from qemu import Disk, Machine

END = r"^\[end: (passed|failed)\]$"
ESP_MIB = 34
DISK_MIB = 32


def policy_text(name, policy=""):
	"""The policy file that goes on to the program."""
	return f"next=\\EFI\\guest\\{name}.efi\ndebug=1\n" + policy


def _system(path, name, beneath, policy, options):
	"""A disk of nothing but an ESP that starts the program."""
	files = {programs.on_esp(name): programs.built(name), programs.OPTIONS_ON_ESP: programs.options(options)}
	if beneath:
		files |= {image.FIRST_ON_ESP: places.UNDERSEAL_EFI, image.POLICY_ON_ESP: policy_text(name, policy).encode()}
	else:
		files[image.FIRST_ON_ESP] = programs.built(name)
	gpt.make_esp(f"{path}.esp", ESP_MIB)
	gpt.esp_put(f"{path}.esp", files)
	gpt.make(path, [gpt.Part("ESP", gpt.TYPE_ESP, ESP_MIB, f"{path}.esp")])
	os.unlink(f"{path}.esp")
	return path


@contextlib.contextmanager
def booted(name, case, *, beneath, policy="", options=None, sector_bytes=512, data=None, bus="ahci", disks=(), typed=True,
		**machine):
	"""A machine on its way into the program `name`: its system disk on virtio, a protected data disk on port 0 of the
	chipset's AHCI or, where `bus` says so, on NVMe (bare it is there too, and stays locked), the passphrase typed.
	`data` is one that the case has made and keeps; `disks` are further ones. Not `typed`: no passphrase is asked for."""
	label = f"{case}-{'beneath' if beneath else 'bare'}"
	system = _system(setups.path(f"{label}-system"), name, beneath, policy, options or {})
	own = data or setups.data_disk(f"{label}-data", DISK_MIB, sector_bytes)
	every_disk = [Disk(system, bus="virtio", boot=True), Disk(own, bus=bus), *disks]
	with Machine(label, every_disk, parallel=True, **machine) as started:
		if beneath and typed:
			setups.unlock(started)
		yield started
	os.unlink(system)
	if not data:
		os.unlink(own)


def _system_of_bochs(path, name, beneath, options, volume, more):
	"""The same for a machine of Bochs': the firmware's tables first, then the hypervisor, without a volume unless there
	is one; `more` are files beside the program's."""
	next_efi = (places.UNDERSEAL_EFI if volume else bochs.START_EFI) if beneath else programs.built(name)
	policy = "next=\\" + bochs.GUEST_ON_ESP.replace("/", "\\") + "\n"
	gpt.make_esp(f"{path}.esp", bochs.DISK_MIB - 2)
	gpt.esp_put(f"{path}.esp", {image.FIRST_ON_ESP: bochs.ACPI_EFI, programs.OPTIONS_ON_ESP: programs.options(options),
		bochs.NEXT_ON_ESP: next_efi, bochs.POLICY_ON_ESP: policy.encode(), bochs.GUEST_ON_ESP: programs.built(name),
		**{f"EFI/guest/{beside}": source for beside, source in more.items()}})
	gpt.make(path, [gpt.Part("ESP", gpt.TYPE_ESP, bochs.DISK_MIB - 2, f"{path}.esp")])
	os.unlink(f"{path}.esp")
	return path


@contextlib.contextmanager
def booted_on_intel(name, case, *, beneath, options=None, files=None, data=None, **machine):
	"""A machine of Bochs' on its way into the program `name`; it has no disk but the system's, unless there is `data`,
	one with a volume, on the secondary channel. The passphrase is typed then."""
	label = f"{case}-{'beneath' if beneath else 'bare'}"
	system = _system_of_bochs(setups.path(f"{label}-system"), name, beneath, options or {}, data, files or {})
	disks = [Disk(system, bus="ata")] + ([Disk(data, bus="ata", port=2)] if data else [])
	with bochs.Bochs(label, disks, **machine) as started:
		if data and beneath:
			setups.unlock(started, seconds=bochs.FIRMWARE_SECONDS)
		yield started
	os.unlink(system)


def finish(machine, seconds=60):
	"""Waits for the program's end and the power-off; what it printed. Its failure is ours."""
	ended = machine.wait(END, seconds)
	assert ended.group(1) == "passed", f"the program ended as {ended.group(1)}:\n{machine.tail()}"
	machine.wait_end()
	return machine.text()


def run_on_intel(name, case, seconds=60, **kwargs):
	with booted_on_intel(name, case, **kwargs) as machine:
		return finish(machine, bochs.FIRMWARE_SECONDS + seconds)


def run(name, case, seconds=60, **kwargs):
	with booted(name, case, **kwargs) as machine:
		return finish(machine, seconds)


def facts(text):
	"""The `key = value` lines of a program, in order."""
	return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
