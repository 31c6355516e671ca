# SPDX-License-Identifier: Apache-2.0
"""TPM tokens of our own: `underseal enroll --tpm2` and `reseal`, with the event log of a machine's firmware."""
import os
import re
import subprocess

import image
import places
import setups
import tokens
import tpm
from case import case
from cases import secure
from qemu import Disk


def _file(name, data):
	path = f"{setups.path(name)}.file"
	with open(path, "wb") as out:
		out.write(data)
	return path


def _seal(chip, disk, passphrase, command, log, *words, **kwargs):
	"""enroll --tpm2 or reseal, with the log of a machine."""
	log = _file(f"{os.path.basename(disk)}-log", log)
	with chip.here() as name:
		setups.underseal(disk, passphrase, command, "--tpm2-device", name, "--event-log", log, *words, **kwargs)
	os.unlink(log)


def _enroll(chip, disk, log, **kwargs):
	"""The policy file is that of machines without further lines."""
	policy = _file(f"{os.path.basename(disk)}-policy", image.policy_text().encode())
	_seal(chip, disk, setups.PASSPHRASE, "enroll", log, "--tpm2", "--policy-file", policy, **kwargs)
	os.unlink(policy)


def _log_of_a_start(name, chip, disk):
	with setups.quick(name, [Disk(disk)], tpm=chip) as machine:
		log = tpm.log_of(machine)
		setups.power_off(machine)
	return log


def _opened_silently(machine):
	return re.search(r"with the TPM \.\.\. done", machine.text())


def _words(machine):
	"""What the console says, wherever it breaks its lines."""
	return "".join(machine.text().split())


def _refuses(machine, command):
	"""A guest above underseal, which guards its headers, says what to do instead."""
	said = "".join(machine.run(f"underseal {command} 2>&1; echo status $?").split())
	assert "runsaboveunderseal" in said and "binary_bios_measurements" in said and "status3" in said, said


@case("enroll --tpm2 with the event log of a start: the next one is silent, root there cannot unseal; stock tools list it",
	cost=2)
def tpm_enrolled():
	with tpm.Tpm("tpm-enrolled") as chip:
		disk = setups.data_disk("tpm-enrolled", 32, 512)
		_enroll(chip, disk, _log_of_a_start("tpm-enrolled", chip, disk))
		assert tokens.kinds(disk) == {0: "password", 1: "tpm2"}, tokens.kinds(disk)
		with setups.quick("tpm-enrolled", [Disk(disk)], passphrase=None, tpm=chip) as machine:
			assert _opened_silently(machine), "no word about the TPM"
			said = machine.run("unseal /dev/tpm0 /dev/sda2")
			assert "measured state" in said, f"root has unsealed what we have: {said}"
			_refuses(machine, "enroll /dev/sda --tpm2")
			setups.power_off(machine)


@case("a rescue system on the machine itself, with the kernel's device and log: the next start beneath is silent", cost=2)
def tpm_rescue():
	policy = image.policy_text().replace("\\", "\\\\").replace("\n", "\\n")
	with tpm.Tpm("tpm-rescue") as chip:
		disk = setups.data_disk("tpm-rescue", 32, 512)
		with setups.quick("tpm-rescue", [Disk(disk)], beneath=False, tpm=chip) as machine:
			machine.run("mount -t securityfs security /sys/kernel/security")
			machine.run(f"echo '{setups.PASSPHRASE}' >/tmp/pass; printf '{policy}' >/tmp/conf")
			enroll = "underseal enroll /dev/sda --passphrase-file /tmp/pass --tpm2 --policy-file /tmp/conf"
			refused = machine.run(f"{enroll} --tpm2-pcrs 4+7+12 2>&1; echo status $?")
			assert "was not started by underseal.efi" in refused and "status 3" in refused, refused
			said = machine.run(f"{enroll} 2>&1", 60)
			assert "slot 1 of partition 1 is new" in said, said
			setups.power_off(machine)
		with setups.quick("tpm-rescue", [Disk(disk)], ready=False, tpm=chip) as machine:
			machine.wait(r"with the TPM \.\.\. done", 30)


@case("Secure Boot switched on and another policy file: told which PCRs differ, and why; reseal makes it silent again",
	cost=7)
def tpm_pcr_changed():
	def changed(disk, **kwargs):
		return secure.machine_of("tpm-pcr-changed", disk, secure.signed_underseal(), policy="tries=5\n", tpm=chip, **kwargs)
	with tpm.Tpm("tpm-pcr-changed") as chip:
		disk = setups.data_disk("tpm-pcr-changed", 32, 512)
		recovery = setups.recovery_key(disk)
		_enroll(chip, disk, _log_of_a_start("tpm-pcr-changed", chip, disk))
		with changed(disk, passphrase=recovery) as machine:
			said = _words(machine)
			assert "PCR7differs.SecureBootchangesit" in said, "no word about Secure Boot"
			assert "PCR12differs.Anotherpolicyfile(underseal.conf)changesit." in said, "no word about the policy file"
			assert "undersealreseal" in said, "no word about what to do"
			_refuses(machine, "reseal /dev/sda")
			log = tpm.log_of(machine)
			setups.power_off(machine)
		_seal(chip, disk, recovery, "reseal", log)
		assert tokens.kinds(disk) == {0: "password", 1: "recovery", 3: "tpm2"}, tokens.kinds(disk)
		with changed(disk, passphrase=None) as machine:
			assert _opened_silently(machine), "no word about the TPM"
			setups.power_off(machine)


@case("a token under an RSA key, as of a TPM without elliptic curves: opens silently", cost=2)
def tpm_rsa():
	no_ecc = setups.path("no-ecc")
	subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", no_ecc, f"{places.TREE}/tests/host/no_ecc.c"], check=True)
	with tpm.Tpm("tpm-rsa") as chip:
		disk = setups.data_disk("tpm-rsa", 32, 512)
		_enroll(chip, disk, _log_of_a_start("tpm-rsa", chip, disk), env={**os.environ, "LD_PRELOAD": no_ecc})
		assert tokens.token(disk, 1)["tpm2-primary-alg"] == "rsa", "its primary key is of ECC"
		with setups.quick("tpm-rsa", [Disk(disk)], ready=False, tpm=chip) as machine:
			machine.wait(r"with the TPM \.\.\. done", 30)


@case("only the policy file has changed: PCR 12 alone is named")
def tpm_policy_changed():
	with tpm.Tpm("tpm-policy-changed") as chip:
		disk = setups.data_disk("tpm-policy-changed", 32, 512)
		_enroll(chip, disk, _log_of_a_start("tpm-policy-changed", chip, disk))
		with setups.quick("tpm-policy-changed", [Disk(disk)], ready=False, policy="tries=5\n", tpm=chip) as machine:
			machine.wait(setups.PASSPHRASE_PROMPT, 30)
			said = _words(machine)
			assert "PCR12differs" in said and "PCR7differs" not in said, "the wrong PCRs are named"
