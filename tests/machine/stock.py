# SPDX-License-Identifier: Apache-2.0
"""The independent judge of ciphertext: stock cryptsetup takes the volume key out of the header partition, and
python3-cryptography decrypts. Nothing here shares a line with underseal."""
import hashlib
import json
import os
import subprocess
import tempfile

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import gpt

CHUNK = 1 << 20


class Volume:
	"""The encrypted partition of a raw image that is called `name` on its GPT."""

	def __init__(self, image, name, passphrase):
		self.image = image
		self.entry = gpt.entry(image, name)
		header = gpt.header_entry(image, self.entry)
		with tempfile.TemporaryDirectory() as folder:
			path, key, secret = f"{folder}/header", f"{folder}/key", f"{folder}/passphrase"
			with open(path, "wb") as out:
				out.write(gpt.read(image, header.start, header.bytes))
			with open(secret, "w", encoding="utf-8") as out:
				out.write(passphrase)
			text = self._cryptsetup("luksDump", "--dump-json-metadata", path)
			self._cryptsetup("luksDump", "--dump-volume-key", "--volume-key-file", key, "--key-file", secret, path)
			with open(key, "rb") as volume_key:
				self.key = volume_key.read()
		self.metadata = json.loads(text)
		segments = list(self.metadata["segments"].values())
		if len(segments) != 1 or segments[0]["encryption"] != "aes-xts-plain64":
			raise ValueError(f"{image}: not one aes-xts-plain64 segment: {segments}")
		self.sector_bytes = segments[0]["sector_size"]

	@staticmethod
	def _cryptsetup(*words):
		return subprocess.run(["cryptsetup", "-q", *words], check=True, capture_output=True).stdout

	def decrypt(self, start, data):
		"""The plaintext of ciphertext that begins `start` bytes into the partition, both whole cipher sectors.
		plain64 counts 512-byte sectors whatever the cipher's sector size is."""
		plain = bytearray()
		for at in range(0, len(data), self.sector_bytes):
			tweak = ((start + at) // 512).to_bytes(16, "little")
			cipher = Cipher(algorithms.AES(self.key), modes.XTS(tweak)).decryptor()
			plain += cipher.update(data[at:at + self.sector_bytes])
		return bytes(plain)

	def read(self, start, length):
		return self.decrypt(start, gpt.read(self.image, self.entry.start + start, length))

	def sha256(self, length=None):
		"""Of the partition's plaintext, all of it or so many bytes."""
		digest, end = hashlib.sha256(), length or self.entry.bytes
		for at in range(0, end, CHUNK):
			digest.update(self.read(at, min(CHUNK, end - at)))
		return digest.hexdigest()


def holds(path, needle, start=0, length=None):
	"""Whether the bytes occur in that part of a file; the offset, or None."""
	end = os.stat(path).st_size if length is None else start + length
	with open(path, "rb") as image:
		image.seek(start)
		at, kept = start, b""
		while at < end:
			block = image.read(min(16 * CHUNK, end - at))
			if not block:
				return None
			found = (kept + block).find(needle)
			if found >= 0:
				return at - len(kept) + found
			at += len(block)
			kept = (kept + block)[1 - len(needle):] if len(needle) > 1 else b""
	return None
