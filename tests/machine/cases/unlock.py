# SPDX-License-Identifier: Apache-2.0
"""What the UEFI program says and does when a volume does not unlock, and where keys may be."""
import hashlib
import os
import re

import gpt
import guests
import image
import places
import setups
import stock
from case import case
from qemu import Disk

SCREENSHOT = f"{places.IMAGES}/unlock.png"


def _sha256(path):
	with open(path, "rb") as image:
		return hashlib.file_digest(image, "sha256").hexdigest()


@case("three wrong passphrases: said each time, the volume stays locked, the machine boots on")
def wrong_passphrase():
	disk = setups.data_disk("wrong-passphrase", 32, 512)
	before = _sha256(disk)
	with setups.quick("wrong-passphrase", [Disk(disk)], ready=False) as machine:
		for _ in range(3):
			setups.unlock(machine, "not the passphrase")
			machine.wait("wrong passphrase")
		machine.wait("stays locked")
		setups.at_shell(machine)
		setups.power_off(machine)
	assert _sha256(disk) == before, "the disk was written to"


@case("a wrong passphrase, then the right one")
def second_try():
	disk = setups.data_disk("second-try", 32, 512)
	with setups.quick("second-try", [Disk(disk)], ready=False) as machine:
		setups.unlock(machine, "not the passphrase")
		machine.wait("wrong passphrase")
		setups.unlock(machine)
		setups.at_shell(machine)
		machine.run("underseal status")
		setups.power_off(machine)


@case("a recovery key, typed in upper case without dashes; in the guest key slots are not changed")
def recovery_key():
	disk = setups.data_disk("recovery-key", 32, 512)
	shown = setups.recovery_key(disk)
	with setups.quick("recovery-key", [Disk(disk)], passphrase=shown.upper().replace("-", "")) as machine:
		machine.run("underseal status")
		assert "recovery key" in machine.run("underseal list /dev/sda")
		for command in "enroll /dev/sda --recovery-key", "remove /dev/sda 1":
			said = machine.run(f"underseal {command} 2>&1; echo status $?")
			assert "runs above underseal" in said and "status 3" in said, said
		setups.power_off(machine)


# A German's passphrase, and the keys that give it by what a US keyboard has in their places.
GERMAN = "zahn-Öl@yü"
GERMAN_KEYS = ("y", "a", "h", "n", "slash", "shift+semicolon", "l", "alt_r+q", "z", "bracket_left")


@case("a passphrase typed on a German keyboard, chosen by F2; a terminal's characters are nobody's to change", cost=2)
def keyboard_layout():
	disk = setups.protect(image.data_disk(setups.path("keyboard-layout"), 32), 1, passphrase=GERMAN)
	with setups.quick("keyboard-layout", [Disk(disk)], ready=False, policy="keyboard=uk\n",
			options=("-device", "VGA")) as machine:
		machine.wait(setups.PASSPHRASE_PROMPT, 30)
		machine.type_keys("x", "f2")
		machine.wait("Keyboard: German")
		# The same keys over the serial port are what they say.
		machine.send("yahn\r")
		machine.wait("wrong passphrase")
		machine.wait(setups.PASSPHRASE_PROMPT, 30)
		machine.type_keys(*GERMAN_KEYS)
		machine.wait(r"\*{%d}" % len(GERMAN))
		machine.screenshot(SCREENSHOT)
		machine.type_keys("ret")
		machine.wait(r"\.\.\. done")
		setups.at_shell(machine)
		said = machine.text()
		assert re.search(r"This computer: +QEMU Standard PC", said) and "German (F2" not in said, "the head is another one"
		assert GERMAN not in said and "zahn" not in said, "the passphrase was shown"
		setups.power_off(machine)
	assert os.path.getsize(SCREENSHOT) > 2000, "there is nothing on the screen"


def _damage(disk, copy):
	"""Flips a byte in the JSON area of the first or second copy of the header."""
	header = gpt.header_entry(disk)
	size = int.from_bytes(gpt.read(disk, header.start + 8, 8), "big")
	at = header.start + copy * size + 4096 + 20
	gpt.write(disk, at, bytes([gpt.read(disk, at, 1)[0] ^ 0x20]))


@case("a damaged first header: the second serves, and it says so")
def first_header_damaged():
	disk = setups.data_disk("first-header-damaged", 32, 512)
	_damage(disk, 0)
	with setups.quick("first-header-damaged", [Disk(disk)]) as machine:
		assert re.search(r"first copy of its encryption\s+header is damaged", machine.text()), "no word about it"
		machine.run("underseal status")
		setups.power_off(machine)


@case("both headers damaged: a clear message, the disk untouched, the machine boots on")
def both_headers_damaged():
	disk = setups.data_disk("both-headers-damaged", 32, 512)
	_damage(disk, 0)
	_damage(disk, 1)
	before = _sha256(disk)
	with setups.quick("both-headers-damaged", [Disk(disk)], passphrase=None) as machine:
		assert re.search(r"stays locked\.[^\n]*damaged", machine.text()), "no word about the damage"
		setups.power_off(machine)
	assert _sha256(disk) == before, "the disk was written to"


def _pieces(volume):
	"""The volume key in the pieces an AES key schedule begins or ends with."""
	return [volume.key[at:at + 16] for at in range(0, len(volume.key), 16)]


def places_of_keys(machine, volume):
	"""Where in RAM pieces of the volume key lie."""
	path = f"{machine.directory}/memory"
	machine.dump_memory(path)
	found = [at for at in (stock.holds(path, piece) for piece in _pieces(volume)) if at is not None]
	os.unlink(path)
	return found


def _keys_after(name, command):
	disk = setups.data_disk(name, 32, 512)
	volume = stock.Volume(disk, "data", setups.PASSPHRASE)
	with setups.quick(name, [Disk(disk)], memory=512, keep_memory=True) as machine:
		machine.run("dd if=/dev/urandom of=/dev/sda1 bs=1M count=4 conv=fsync && head -c 4194304 /dev/sda1 | sha256sum")
		mib, address = re.search(r"(\d+) MiB at ([0-9a-f]+)", machine.debug_log()).groups()
		start = int(address, 16)
		machine.pause()
		running = places_of_keys(machine, volume)
		machine.resume()
		assert running, "the search finds no key where one must be"
		assert all(start <= at < start + (int(mib) << 20) for at in running), \
			f"a key outside the hypervisor's memory: {[hex(at) for at in running]}"
		machine.send(command + "\n")
		machine.wait_stopped()
		after = places_of_keys(machine, volume)
		assert not after, f"keys are still in RAM at {[hex(at) for at in after]}"
	return volume


def _as_typed(text, stride):
	"""A pattern for the text as keys in a queue, with that many bytes from one to the next."""
	gap = b"[\\s\\S]{%d}" % (stride - 1)
	return re.compile(gap.join(re.escape(character.encode()) for character in text))


@case("what was typed, over a serial port and on a keyboard, is nowhere in RAM once something else runs", cost=2)
def passphrase_wiped():
	# Words of firmware's are in its memory: these are not.
	typed = "kw8 vq2 zj5 xh7"
	disk = setups.protect(image.data_disk(setups.path("passphrase-wiped"), 32), 1, passphrase=typed)
	for way in "serial", "keyboard":
		with guests.booted("hello", f"passphrase-wiped-{way}", beneath=True, data=disk, typed=False, memory=512,
				keep_memory=True) as machine:
			machine.wait(setups.PASSPHRASE_PROMPT, 30)
			if way == "serial":
				machine.send(typed + "\r")
			else:
				machine.type_keys(*("spc" if key == " " else key for key in typed), "ret")
			machine.wait(guests.END, 60)
			machine.wait_stopped()
			path = f"{machine.directory}/memory"
			machine.dump_memory(path)
			with open(path, "rb") as dump:
				memory = dump.read()
			os.unlink(path)
			for stride in (1, 2, 4, 6, 8, 12, 16, 24):
				found = _as_typed(typed[:6], stride).search(memory)
				assert not found, f"typed by {way}, it is in RAM at {found.start():#x}, {stride} bytes from key to key"


@case("keys are in the hypervisor's memory alone, and nowhere after a power-off", cost=2)
def keys_wiped_at_power_off():
	_keys_after("keys-wiped-at-power-off", "poweroff -f")


@case("underseal lock writes what is pending, wipes the keys and turns the machine off", cost=2)
def keys_wiped_by_lock():
	volume = _keys_after("keys-wiped-by-lock", "echo kept | dd of=/dev/sda1 bs=4096 seek=1 conv=sync; underseal lock")
	assert volume.read(4096, 512).startswith(b"kept"), "what was written before is lost"


@case("keys are nowhere in RAM after a reboot was asked for", cost=2)
def keys_wiped_at_reboot():
	_keys_after("keys-wiped-at-reboot", "reboot -f")
