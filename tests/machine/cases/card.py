# SPDX-License-Identifier: Apache-2.0
"""Keys from a smartcard: tokens that stock systemd-cryptenroll has made for a PIV card in software (piv.py)."""
import base64
import os
import re

import guests
import image
import piv
import setups
import stock
import tokens
import tpm
from case import case
from qemu import Disk

PIN_PROMPT = r"Smartcard PIN for [^\n]*\((\d+) tries left[^\n]*: "
DONE = r"with the smartcard \.\.\. done"
MARKER = "UNDERSEAL-CARD-"


def _disk(name, card):
	disk = setups.data_disk(name, 32, 512)
	card.enrol(disk, setups.PASSPHRASE)
	return disk


def _type_pin(machine, pin, tries):
	"""Answers the prompt, which shows that many tries."""
	assert int(machine.wait(PIN_PROMPT, 30).group(1)) == tries, "another number of tries is shown"
	machine.send(pin + "\r")


def _said(machine, words):
	"""Whether the console says it, wherever it breaks its lines."""
	return "".join(words.split()) in "".join(machine.text().split())


def _then_the_passphrase(machine, words):
	"""Those have been said, and the passphrase opens the volume."""
	setups.unlock(machine)
	machine.wait(r"\.\.\. done")
	assert _said(machine, words), f"no word that {words}"


@case("a smartcard and its PIN open a volume; what the guest writes is what stock tools decrypt", cost=2)
def card_unlock():
	with piv.Card() as card:
		disk = _disk("card-unlock", card)
		assert tokens.token(disk, 1)["type"] == "systemd-pkcs11"
		with setups.quick("card-unlock", [Disk(disk)], ready=False, card=card) as machine:
			_type_pin(machine, piv.PIN, piv.TRIES)
			machine.wait(DONE)
			setups.at_shell(machine)
			assert not re.search(setups.PASSPHRASE_PROMPT, machine.text()), "a passphrase was asked for"
			machine.run(f"yes {MARKER} | head -c 65536 | dd of=/dev/sda1 bs=64k conv=fsync")
			setups.power_off(machine)
	assert stock.Volume(disk, "data", setups.PASSPHRASE).read(0, 65536).startswith(MARKER.encode())
	assert stock.holds(disk, MARKER.encode()) is None, "the marker is on the medium in clear"


@case("a wrong PIN is told with the tries that are left; the right one opens, also with the key for authentication")
def card_wrong_pin():
	with piv.Card(piv.AUTHENTICATION) as card:
		disk = _disk("card-wrong-pin", card)
		with setups.quick("card-wrong-pin", [Disk(disk)], ready=False, card=card) as machine:
			_type_pin(machine, "654321", piv.TRIES)
			machine.wait("Wrong PIN")
			_type_pin(machine, "12345", piv.TRIES - 1)
			machine.wait("6 to 8 characters")
			_type_pin(machine, piv.PIN, piv.TRIES - 1)
			machine.wait(DONE)


@case("the last try that a smartcard has for its PIN is not taken, and the passphrase is asked for")
def card_last_try():
	with piv.Card() as card:
		disk = _disk("card-last-try", card)
		with setups.quick("card-last-try", [Disk(disk)], ready=False, policy="tries=10\n", card=card) as machine:
			for left in range(piv.TRIES, 1, -1):
				_type_pin(machine, "654321", left)
			_then_the_passphrase(machine, "One more wrong PIN would block the smartcard")
		assert card.applet.tries == 1, f"it has {card.applet.tries} tries left"


@case("a PIN opens every volume with a token for the smartcard, and is asked for once")
def card_two_volumes():
	with piv.Card() as card:
		disks = [_disk(f"card-two-volumes-{number}", card) for number in range(2)]
		with setups.quick("card-two-volumes", [Disk(disk, port=port) for port, disk in enumerate(disks)], ready=False,
				card=card) as machine:
			_type_pin(machine, piv.PIN, piv.TRIES)
			for _ in disks:
				machine.wait(DONE)
			setups.at_shell(machine)
			assert len(re.findall(PIN_PROMPT, machine.text())) == 1, "the PIN was asked for again"


@case("the TPM comes before the smartcard, which comes where the TPM does not open")
def card_after_tpm():
	policy = image.policy_text().encode()
	with piv.Card() as card, tpm.Tpm("card-after-tpm") as chip:
		disk = _disk("card-after-tpm", card)
		chip.enrol(disk, setups.PASSPHRASE, (7, 12), policy)
		with setups.quick("card-after-tpm", [Disk(disk)], passphrase=None, tpm=chip, card=card) as machine:
			assert re.search(r"with the TPM \.\.\. done", machine.text()), "no word about the TPM"
			assert not card.apdus, "the smartcard has been asked"
		with setups.quick("card-after-tpm-differs", [Disk(disk)], ready=False, policy="tries=2\n", tpm=chip,
				card=card) as machine:
			_type_pin(machine, piv.PIN, piv.TRIES)
			machine.wait(DONE)
			assert _said(machine, "differs from the one the token was made for"), "no word about the state"


@case("a smartcard that is taken out while its PIN is asked for: told, and the passphrase is asked for")
def card_pulled_out():
	with piv.Card() as card:
		disk = _disk("card-pulled-out", card)
		with setups.quick("card-pulled-out", [Disk(disk)], ready=False, card=card) as machine:
			machine.wait(PIN_PROMPT, 30)
			card.pull_out()
			machine.send(piv.PIN + "\r")
			_then_the_passphrase(machine, "smartcard has been taken out of the reader")
		assert not card.applet.verified, "the PIN has reached it"


@case("a reader that is unplugged while the PIN is asked for: told, and the passphrase is asked for")
def card_reader_unplugged():
	with piv.Card() as card:
		disk = _disk("card-reader-unplugged", card)
		with setups.quick("card-reader-unplugged", [Disk(disk)], ready=False, card=card) as machine:
			machine.wait(PIN_PROMPT, 30)
			machine.unplug_reader()
			machine.send(piv.PIN + "\r")
			_then_the_passphrase(machine, "The smartcard reader does not answer")
			setups.at_shell(machine)


@case("no reader, no smartcard in it, another smartcard, a damaged token: each told, and the passphrase is asked for")
def card_missing():
	with piv.Card() as card, piv.Card(inserted=False) as absent, piv.Card() as other:
		disk = _disk("card-missing", card)
		for number, (reader, words) in enumerate((
			(None, "no smartcard reader was found"),
			(absent, "There is no smartcard in the reader"),
			(other, "none of its keys fits"),
			(card, "not used, its encrypted key is not of 2048 bits RSA"),
		)):
			if reader is card:
				tokens.change(disk, 1, pkcs11_key=base64.b64encode(bytes(128)).decode())
			with setups.quick(f"card-missing-{number}", [Disk(disk)], ready=False, card=reader) as machine:
				if reader is other:
					_type_pin(machine, piv.PIN, piv.TRIES)
				_then_the_passphrase(machine, words)


@case("Esc at the smartcard's PIN starts the system without unlocking")
def card_escape():
	with piv.Card() as card:
		disk = _disk("card-escape", card)
		with setups.quick("card-escape", [Disk(disk)], ready=False, card=card) as machine:
			machine.wait(PIN_PROMPT, 30)
			machine.send("\x1b")
			setups.at_shell(machine)
			assert not re.search(setups.PASSPHRASE_PROMPT, machine.text()), "a passphrase was asked for"
			machine.run("! underseal status")


@case("what the smartcard has decrypted is nowhere in RAM once something else runs")
def card_secret_wiped():
	with piv.Card() as card:
		disk = _disk("card-secret", card)
		secret = card.decrypt(base64.b64decode(tokens.token(disk, 1)["pkcs11-key"]))
		with guests.booted("hello", "card-secret", beneath=True, data=disk, typed=False, card=card, memory=512,
				keep_memory=True) as machine:
			_type_pin(machine, piv.PIN, piv.TRIES)
			machine.wait(DONE)
			machine.wait(guests.END, 60)
			machine.wait_stopped()
			path = f"{machine.directory}/memory"
			machine.dump_memory(path)
			# Pieces of it: the card's answer comes in two parts.
			seen = [stock.holds(path, piece) for piece in (secret[:48], secret[48:96], base64.b64encode(secret[:48]))]
			found = [at for at in seen if at is not None]
			os.unlink(path)
			assert not found, f"it is in RAM at {[hex(at) for at in found]}"
