# SPDX-License-Identifier: Apache-2.0
"""Keys from a TPM 2.0 (swtpm), sealed by stock systemd-cryptenroll."""
import base64
import hashlib
import os
import re
import subprocess
import sys

import gpt
import guests
import image
import places
import setups
import stock
import tokens
import tpm
from case import case
from qemu import CPU_WITHOUT_SVM, Disk

CLOSED = b"underseal: closed"
PIN_PROMPT = r"TPM PIN for [^\n]*: "
PIN = "2580"
WEAK = "not used, it is weak"


def _policy(lines=""):
	return image.policy_text(lines).encode()


def _disk(name, chip, *tokens):
	"""A data disk with a token for each (PCRs, PIN), for machines with the plain policy file."""
	disk = setups.data_disk(name, 32, 512)
	for pcrs, pin in tokens:
		chip.enrol(disk, setups.PASSPHRASE, pcrs, _policy(), pin)
	return disk


def _said(machine, words):
	"""How often the console says it, wherever it breaks its lines."""
	return "".join(machine.text().split()).count("".join(words.split()))


def _first_in_pcr12(machine, count):
	"""Digests of the first events in PCR 12 by the firmware's log, which must lead to what the PCR holds."""
	digests = tpm.digests_of(tpm.log_of(machine), 12)
	value = machine.run("cat /sys/class/tpm/tpm0/pcr-sha256/12").strip()
	assert tpm.replay(digests).hex().upper() == value, f"the log of PCR 12 does not lead to {value}"
	return digests[:count]


def _digests(*events):
	return [hashlib.sha256(event).digest() for event in events]


@case("a token of PCR 7 and 12 unlocks silently; root in the guest cannot unseal it, though a weak one it can", cost=2)
def tpm_silent():
	with tpm.Tpm("tpm-silent") as chip:
		disk = _disk("tpm-silent", chip, ((12,), None), ((7, 12), None), ((7,), None))
		with setups.quick("tpm-silent", [Disk(disk)], passphrase=None, tpm=chip) as machine:
			assert re.search(r"with the TPM \.\.\. done", machine.text()), "no word about the TPM"
			assert _said(machine, WEAK), "PCR 12 alone was not weak"
			machine.run("underseal status")
			machine.run("dd if=/dev/urandom of=/tmp/data bs=1M count=1 && dd if=/tmp/data of=/dev/sda1 conv=fsync && "
				"echo 3 >/proc/sys/vm/drop_caches && head -c 1048576 /dev/sda1 | cmp - /tmp/data")
			assert _first_in_pcr12(machine, 2) == _digests(_policy(), CLOSED)
			_, strong, weak = re.findall(r"^token \d: (.*)$", machine.run("unseal /dev/tpm0 /dev/sda2"), re.MULTILINE)
			assert "measured state" in strong, f"root has unsealed what we have: {strong}"
			assert weak.startswith("unsealed"), f"root cannot unseal at all: nothing was tested ({weak})"
			setups.power_off(machine)


@case("what starts next unseals a weak token, but not ours")
def tpm_replay():
	with tpm.Tpm("tpm-replay") as chip:
		disk = setups.data_disk("tpm-replay", 32, 512)
		for pcrs in ((7, 12), (7,)):
			chip.enrol(disk, setups.PASSPHRASE, pcrs, guests.policy_text("unseal").encode())
		text = guests.run("unseal", "tpm-replay", beneath=True, data=disk, typed=False, tpm=chip)
		strong, weak = re.findall(r"^token \d: (.*)$", text, re.MULTILINE)
		assert "measured state" in strong, f"it has unsealed what we have: {strong}"
		assert weak == "unsealed 32 bytes", f"it cannot unseal at all: nothing was tested ({weak})"


@case("what a probe on the TPM's wires sees: not what opens the volume, though what root has unsealed without encryption")
def tpm_wires():
	with tpm.Tpm("tpm-wires") as chip:
		disk = _disk("tpm-wires", chip, ((7, 12), None), ((7,), None))
		strong, weak = (chip.secret(disk, number, _policy()) for number in range(2))
		with setups.quick("tpm-wires", [Disk(disk)], passphrase=None, tpm=chip) as machine:
			assert re.search(r"with the TPM \.\.\. done", machine.text()), "no word about the TPM"
			assert "token 1: unsealed" in machine.run("CLEAR=1 unseal /dev/tpm0 /dev/sda2"), "root cannot unseal at all"
			setups.power_off(machine)
		assert chip.on_the_wires(weak), "not even a secret in clear was seen: nothing was tested"
		assert not chip.on_the_wires(strong), "what opens the volume crosses the wires in clear"


@case("what the TPM has unsealed is nowhere in RAM once something else runs")
def tpm_secret_wiped():
	policy = guests.policy_text("unseal").encode()
	with tpm.Tpm("tpm-secret") as chip:
		disk = setups.data_disk("tpm-secret", 32, 512)
		chip.enrol(disk, setups.PASSPHRASE, (7, 12), policy)
		secret = chip.secret(disk, 0, policy)
		with guests.booted("unseal", "tpm-secret", beneath=True, data=disk, typed=False, tpm=chip, memory=512,
				keep_memory=True) as machine:
			machine.wait(guests.END, 60)
			machine.wait_stopped()
			assert re.search(r"with the TPM \.\.\. done", machine.text()), "no word about the TPM"
			path = f"{machine.directory}/memory"
			machine.dump_memory(path)
			found = [at for at in (stock.holds(path, secret), stock.holds(path, base64.b64encode(secret))) if at is not None]
			os.unlink(path)
			assert not found, f"it is in RAM at {[hex(at) for at in found]}"


@case("weak and damaged tokens: told and not used, the passphrase is asked for; the policy file can allow weak ones")
def tpm_weak():
	with tpm.Tpm("tpm-weak") as chip:
		disk = _disk("tpm-weak", chip, ((7,), None), ((7, 12), None))
		tokens.change(disk, 2, tpm2_policy_hash="00" * 32)
		with setups.quick("tpm-weak", [Disk(disk)], ready=False, tpm=chip) as machine:
			setups.unlock(machine)
			machine.wait(r"\.\.\. done")
			assert _said(machine, WEAK), "no word about the weak token"
			assert _said(machine, "not used, its policy hash is not that of its sealed key"), "no word about the damaged one"
		with setups.quick("tpm-weak-allowed", [Disk(disk)], ready=False, policy="allow_weak_tokens=1\n", tpm=chip) as machine:
			machine.wait(r"with the TPM \.\.\. done", 30)


@case("TPM and PIN: a wrong one is told, the right one opens; too many lock the TPM, and the passphrase still opens")
def tpm_pin():
	with tpm.Tpm("tpm-pin") as chip, tpm.Tpm("tpm-lockout") as locking:
		disk = _disk("tpm-pin", chip, ((7, 12), PIN))
		with setups.quick("tpm-pin", [Disk(disk)], ready=False, tpm=chip) as machine:
			for pin, answer in (("2581", "Wrong PIN"), (PIN, r"\.\.\. done")):
				machine.wait(PIN_PROMPT, 30)
				machine.send(pin + "\r")
				machine.wait(answer)
		disk, policy = setups.data_disk("tpm-lockout", 32, 512), "tries=10\n"
		locking.enrol(disk, setups.PASSPHRASE, (7, 12), _policy(policy), PIN)
		with setups.quick("tpm-lockout", [Disk(disk)], ready=False, policy=policy, tpm=locking) as machine:
			for _ in range(8):
				if machine.wait(rf"{PIN_PROMPT}|is locked because of wrong PINs", 30)[0].startswith("is"):
					break
				machine.send("wrong\r")
			else:
				raise AssertionError("the TPM does not lock itself")
			setups.unlock(machine)
			machine.wait(r"\.\.\. done")


def _pcr12(text):
	"""As the next program has found it."""
	return bytes.fromhex(re.search("^PCR 12: (.*)$", text, re.MULTILINE).group(1))


def _signed_key(name):
	"""(private, public) key as files."""
	private, public = (setups.path(f"{name}-{kind}") for kind in ("private", "public"))
	subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
	subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
	return private, public


def _signatures(private, *policies):
	"""A tpm2-pcr-signature.json for what PCR 12 holds with each of the policy files."""
	path = f"{private}-signatures"
	values = [f"12={tpm.replay(_digests(policy)).hex()}" for policy in policies]
	subprocess.run([sys.executable, f"{places.TREE}/tests/host/sign_pcrs.py", private, path, *values], check=True)
	with open(path, "rb") as file:
		return file.read()


@case("PCR 12 as somebody has signed it: each signed policy file is silent, another one is told; root cannot unseal", cost=3)
def tpm_signed():
	private, public = _signed_key("tpm-signed")
	lines, signed = "tries=5\n", _signatures(private, _policy(), _policy("tries=5\n"))
	def put(system):
		gpt.esp_put(system, {f"{os.path.dirname(image.POLICY_ON_ESP)}/tpm2-pcr-signature.json": signed},
			gpt.entry(system, "ESP").start)
	with tpm.Tpm("tpm-signed") as chip:
		disk = setups.data_disk("tpm-signed", 32, 512)
		chip.enrol(disk, setups.PASSPHRASE, (7,), _policy(), None, (f"--tpm2-public-key={public}", "--tpm2-public-key-pcrs=12"))
		with setups.quick("tpm-signed", [Disk(disk)], passphrase=None, prepare=put, tpm=chip) as machine:
			assert re.search(r"with the TPM \.\.\. done", machine.text()), "no word about the TPM"
			for at in range(0, len(signed), 512):
				machine.run(f"printf %s '{signed[at:at + 512].decode()}' >>/tmp/signed")
			said = machine.run("SIGNATURES=/tmp/signed unseal /dev/tpm0 /dev/sda2")
			assert "No valid signature" in said, f"root has unsealed what we have: {said}"
			setups.power_off(machine)
		with setups.quick("tpm-signed", [Disk(disk)], ready=False, policy=lines, prepare=put, tpm=chip) as machine:
			machine.wait(r"with the TPM \.\.\. done", 30)
		with setups.quick("tpm-signed", [Disk(disk)], ready=False, policy="tries=6\n", prepare=put, tpm=chip) as machine:
			machine.wait(setups.PASSPHRASE_PROMPT, 30)
			assert _said(machine, "No valid signature is there"), "no word about the signature"


@case("another measured state, another TPM: told with the PCRs; without unlocking PCR 12 is closed too")
def tpm_state_differs():
	lines = "# another policy file\n"
	with tpm.Tpm("tpm-state") as chip, tpm.Tpm("tpm-state-other") as other:
		disk = setups.data_disk("tpm-state", 32, 512)
		chip.enrol(disk, setups.PASSPHRASE, (7, 12), guests.policy_text("unseal").encode())
		other.enrol(disk, setups.PASSPHRASE, (7, 11, 12), guests.policy_text("unseal", lines).encode())
		with guests.booted("unseal", "tpm-state", beneath=True, data=disk, typed=False, policy=lines, tpm=chip) as machine:
			machine.wait(setups.PASSPHRASE_PROMPT, 30)
			assert _said(machine, "differs from the one the token was made for. (PCR 7 12)"), "no word about the state"
			assert _said(machine, "made with another TPM"), "no word about the other TPM"
			machine.send("\x1b")
			measured = _digests(guests.policy_text("unseal", lines).encode(), CLOSED)
			assert _pcr12(guests.finish(machine)) == tpm.replay(measured), "PCR 12 is not closed"


@case("where nothing can be unlocked, PCR 12 is closed all the same")
def tpm_closed_without_svm():
	with tpm.Tpm("tpm-no-svm") as chip:
		disk = setups.data_disk("tpm-no-svm", 32, 512)
		text = guests.run("unseal", "tpm-no-svm", beneath=True, data=disk, typed=False, cpu=CPU_WITHOUT_SVM, tpm=chip)
		assert _pcr12(text) == tpm.replay(_digests(CLOSED)), "PCR 12 is not closed"


@case("a token and no TPM: told, and the passphrase is asked for")
def tpm_missing():
	with tpm.Tpm("tpm-missing") as chip:
		disk = _disk("tpm-missing", chip, ((7, 12), None))
	with setups.quick("tpm-missing", [Disk(disk)], ready=False) as machine:
		setups.unlock(machine)
		machine.wait(r"\.\.\. done")
		assert _said(machine, "firmware offers no TPM 2.0"), "no word about the missing TPM"


@case("a TPM that fails between the policy and the closing event: the computer is turned off, nothing is started")
def tpm_not_closed():
	with tpm.Tpm("tpm-not-closed") as chip:
		disk = _disk("tpm-not-closed", chip, ((7, 12), PIN))
		with setups.quick("tpm-not-closed", [Disk(disk)], ready=False, tpm=chip) as machine:
			machine.wait(PIN_PROMPT, 30)
			machine.break_tpm()
			machine.send("\x1b")
			machine.wait("PCR 12 of the TPM could not be extended")
			machine.wait("the computer is turned off")
			machine.wait_end(30)
			assert "Linux" not in machine.text(), "something has been started"
