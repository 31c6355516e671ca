# SPDX-License-Identifier: Apache-2.0
"""The independent judge of ciphertext: stock cryptsetup takes the volume key out of the header partition, and
OpenSSL's EVP decrypts. Nothing here shares a line with underseal."""
import ctypes
import hashlib
import json
import os
import subprocess
import tempfile

import gpt

CHUNK = 1 << 20


class Xts:
	"""AES-XTS decryption by EVP, one context for all sectors: a disk has millions, and Python's own way makes an object
	for each."""
	_crypto = ctypes.CDLL("libcrypto.so.3")
	for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_xts", "EVP_aes_256_xts"):
		getattr(_crypto, _name).restype = ctypes.c_void_p
	_crypto.EVP_DecryptInit_ex.argtypes = [ctypes.c_void_p] * 5
	_crypto.EVP_DecryptUpdate.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int]
	_crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]

	def __init__(self, key):
		self._context = self._crypto.EVP_CIPHER_CTX_new()
		cipher = {32: self._crypto.EVP_aes_128_xts, 64: self._crypto.EVP_aes_256_xts}[len(key)]()
		assert self._crypto.EVP_DecryptInit_ex(self._context, cipher, None, key, None) == 1

	def __del__(self):
		self._crypto.EVP_CIPHER_CTX_free(self._context)

	def decrypt(self, data, first_unit, sector_bytes):
		"""Whole sectors, whose tweaks count units of 512 bytes from `first_unit`."""
		assert len(data) % sector_bytes == 0, "not whole cipher sectors"
		plain, written = ctypes.create_string_buffer(len(data)), ctypes.c_int()
		source = ctypes.create_string_buffer(data, len(data))
		into, out_of, count = ctypes.addressof(plain), ctypes.addressof(source), ctypes.addressof(written)
		for at in range(0, len(data), sector_bytes):
			tweak = (first_unit + at // 512).to_bytes(16, "little")
			assert self._crypto.EVP_DecryptInit_ex(self._context, None, None, None, tweak) == 1
			assert self._crypto.EVP_DecryptUpdate(self._context, into + at, count, out_of + at, sector_bytes) == 1
		return plain.raw


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
		self._xts = Xts(self.key)

	@staticmethod
	def _cryptsetup(*words):
		return subprocess.run(["cryptsetup", "-q", *words], check=True, capture_output=True).stdout

	def decrypt(self, start, data):
		"""The plaintext of ciphertext that begins `start` bytes into the partition, both whole cipher sectors.
		plain64 counts 512-byte sectors whatever the cipher's sector size is."""
		return self._xts.decrypt(data, start // 512, self.sector_bytes)

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
