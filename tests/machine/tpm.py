# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 emulated by swtpm: manufactured for a test, used by stock tools on this machine to seal, then by a guest.
Its sockets lie where nobody else connects, and every process of it ends by itself or by its own handle."""
import contextlib
import hashlib
import os
import re
import struct
import subprocess
import tempfile
import time
import uuid

import places
import tokens

# What OVMF without Secure Boot measures into PCR 7 (TCG PC Client Platform Firmware Profile, 3.3.4.8): its variables,
# then a separator.
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_IMAGES = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
_VARIABLES = ((_GLOBAL, "SecureBoot", b"\0"), (_GLOBAL, "PK", b""), (_GLOBAL, "KEK", b""), (_IMAGES, "db", b""),
	(_IMAGES, "dbx", b""))


def _variable(guid, name, data):
	"""UEFI_VARIABLE_DATA"""
	return uuid.UUID(guid).bytes_le + struct.pack("<QQ", len(name), len(data)) + name.encode("utf-16-le") + data


def _digests(policy):
	"""(PCR, SHA-256) of each event a machine has measured when our program tries tokens."""
	for variable in _VARIABLES:
		yield 7, hashlib.sha256(_variable(*variable)).hexdigest()
	yield 7, hashlib.sha256(bytes(4)).hexdigest()
	yield 12, hashlib.sha256(policy).hexdigest()


class Tpm:
	"""`with Tpm(name) as tpm:`; its state is gone at the end."""

	def __init__(self, name):
		self._state = f"{places.IMAGES}/{name}-tpm"

	def __enter__(self):
		places.fresh(self._state)
		subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", self._state, "--pcr-banks", "sha256", "--overwrite"],
			check=True, capture_output=True)
		return self

	def __exit__(self, *_):
		places.fresh(self._state)
		os.rmdir(self._state)

	def _command(self, *words):
		return ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._state}", *words]

	def beside(self, control):
		"""Starts it for an emulator that holds the other end of the socket `control`; it ends with the connection."""
		with open(f"{self._state}/log", "ab") as log:
			return subprocess.Popen(self._command("--ctrl", f"type=unixio,clientfd={control.fileno()}", "--terminate",
					"--log", f"file={self._state}/wires,level=20,truncate"),
				pass_fds=(control.fileno(),), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

	def on_the_wires(self, secret):
		"""Whether a command or an answer between the last emulator and the TPM has held the bytes."""
		with open(f"{self._state}/wires", encoding="ascii") as wires:
			lines = [line for line in wires if re.fullmatch(r"( [0-9A-F]{2})+ *\n", line)]
		seen = bytes.fromhex("".join(lines))
		assert len(seen) > 1000, "nothing was recorded"
		return secret in seen

	@contextlib.contextmanager
	def here(self, policy=None):
		"""Powered on at this machine, its PCRs as in a machine with that policy file, or at zero; gives the tools' name
		for it."""
		with tempfile.TemporaryDirectory() as folder:
			path = f"{folder}/tpm"
			with subprocess.Popen(self._command("--server", f"type=unixio,path={path}", "--ctrl",
					f"type=unixio,path={path}.ctrl", "--flags", "not-need-init,startup-clear"),
					stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
				try:
					_wait_for(path)
					name = f"swtpm:path={path}"
					for pcr, digest in [] if policy is None else _digests(policy):
						tokens.tool("tpm2_pcrextend", "-T", name, f"{pcr}:sha256={digest}")
					yield name
					# Without it the TPM counts a failed authorisation: it cannot know that there was none.
					tokens.tool("tpm2_shutdown", "-T", name, "--clear")
				finally:
					process.terminate()

	def enrol(self, image, passphrase, pcrs, policy=b"", pin=None, words=()):
		"""Adds a token for these PCRs to the header of the image's only volume with systemd-cryptenroll; the policy file
		is what the machine will start with; `words` are further options."""
		with tokens.header(image) as path, self.here(policy) as name:
			tokens.tool("systemd-cryptenroll", f"--tpm2-device={name}", f"--tpm2-pcrs={'+'.join(map(str, pcrs))}",
				f"--tpm2-with-pin={'yes' if pin else 'no'}", *words, path,
				env={**os.environ, "PASSWORD": passphrase, "NEWPIN": pin or ""})

	def secret(self, image, number, policy):
		"""What the token seals, in a machine with that policy file before its window is closed."""
		with tokens.header(image) as path, self.here(policy) as name:
			told = tokens.tool(f"{places.IMAGES}/unseal", name.removeprefix("swtpm:path="), path).decode()
		return bytes.fromhex(re.search(rf"^token {number}: unsealed (.*)$", told, re.MULTILINE).group(1))


def log_of(machine):
	"""The firmware's event log as the system in the machine shows it."""
	machine.run("mountpoint -q /sys/kernel/security || mount -t securityfs security /sys/kernel/security")
	return bytes.fromhex("".join(machine.run("xxd -p /sys/kernel/security/tpm0/binary_bios_measurements").split()))


def digests_of(log, pcr):
	"""The SHA-256 digests that a firmware's event log has for a PCR, in order (TCG PC Client Platform Firmware Profile,
	10.2: an event of the old form, then events with a digest for each bank)."""
	sizes, found = {4: 20, 0xb: 32, 0xc: 48, 0xd: 64}, []
	at = 32 + struct.unpack_from("<I", log, 28)[0]
	while at < len(log):
		index, _, count = struct.unpack_from("<III", log, at)
		at += 12
		for _ in range(count):
			algorithm, = struct.unpack_from("<H", log, at)
			if index == pcr and algorithm == 0xb:
				found.append(log[at + 2:at + 34])
			at += 2 + sizes[algorithm]
		at += 4 + struct.unpack_from("<I", log, at)[0]
	return found


def replay(digests):
	"""What a PCR holds after them."""
	value = bytes(32)
	for digest in digests:
		value = hashlib.sha256(value + digest).digest()
	return value


def _wait_for(path):
	"""Until somebody listens there."""
	for _ in range(500):
		if os.path.exists(path) and os.path.exists(f"{path}.ctrl"):
			return
		time.sleep(0.02)
	raise RuntimeError("swtpm does not listen")
