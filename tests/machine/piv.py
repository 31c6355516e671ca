# SPDX-License-Identifier: Apache-2.0
"""A PIV smartcard (NIST SP 800-73-4) in software: APDUs by T=0, one RSA key, a PIN that it counts. It is put into a
machine's reader by the protocol of QEMU's ccid-card-passthru, and stock tools enrol a token for its key."""
import datetime
import os
import struct
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import tokens

PIN = "123456"
TRIES = 3

# T=0, and a few historical bytes.
ATR = bytes.fromhex("3b6500005354455354")

KEY_MANAGEMENT, AUTHENTICATION = 0x9d, 0x9a
_NAME = bytes.fromhex("a000000308")
_PROPERTIES = bytes.fromhex("610d4f0600001000010079034f01a0")
_RSA_2048 = 7
_RSA_BYTES = 256
_REQUEST, _RESULT = bytes.fromhex("7c820106820081820100"), bytes.fromhex("7c82010482820100")

# VSCard message types (libcacard, vscard_common.h).
_INIT, _ERROR, _READER_ADD, _ATR, _CARD_REMOVE, _APDU = 1, 2, 3, 5, 6, 7
_NO_READER = 0xffffffff

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


class Applet:
	"""What the card answers to an APDU."""

	def __init__(self, key, reference, pin, tries):
		self._numbers = key.private_numbers()
		self._reference, self._pin, self._most = reference, pin.encode().ljust(8, b"\xff"), tries
		self.tries = tries
		self.reset()

	def reset(self):
		self.verified = self._selected = False
		self._chain = self._pending = b""

	def answer(self, apdu):
		data = apdu[5:5 + apdu[4]] if len(apdu) > 5 else b""
		if apdu[1] == 0xc0:
			return self._more(apdu[4] or 256)
		self._pending = b""
		if apdu[1] == 0xa4:
			self._selected = data == _NAME
			return self._announce(_PROPERTIES) if self._selected else b"\x6a\x82"
		if self._selected and apdu[1:4] == b"\x20\0\x80":
			return self._verify(data)
		if self._selected and apdu[1:3] == bytes((0x87, _RSA_2048)):
			return self._authenticate(apdu[0], apdu[3], data)
		return b"\x6d\0"

	def _announce(self, data):
		self._pending = data
		return bytes((0x61, min(len(data), 256) & 0xff))

	def _more(self, wanted):
		part, self._pending = self._pending[:wanted], self._pending[wanted:]
		return part + (bytes((0x61, min(len(self._pending), 256) & 0xff)) if self._pending else b"\x90\0")

	def _verify(self, pin):
		if not pin and self.verified:
			return b"\x90\0"
		if pin and self.tries:
			self.verified = pin == self._pin
			self.tries = self._most if self.verified else self.tries - 1
		if pin and self.verified:
			return b"\x90\0"
		return bytes((0x63, 0xc0 | self.tries)) if self.tries else b"\x69\x83"

	def _authenticate(self, cla, reference, data):
		self._chain += data
		if cla & 0x10:
			return b"\x90\0"
		request, self._chain = self._chain, b""
		if not self.verified:
			return b"\x69\x82"
		if reference != self._reference:
			return b"\x6a\x88"
		if len(request) != len(_REQUEST) + _RSA_BYTES or not request.startswith(_REQUEST):
			return b"\x6a\x80"
		number = int.from_bytes(request[len(_REQUEST):], "big")
		result = pow(number, self._numbers.d, self._numbers.public_numbers.n)
		return self._announce(_RESULT + result.to_bytes(_RSA_BYTES, "big"))


class Card:
	"""`with Card() as card:`, in the reader unless not `inserted`; a machine is started with it."""

	def __init__(self, reference=KEY_MANAGEMENT, pin=PIN, tries=TRIES, inserted=True):
		self._key = rsa.generate_private_key(public_exponent=65537, key_size=8 * _RSA_BYTES)
		self.applet = Applet(self._key, reference, pin, tries)
		self._inserted = inserted
		self._socket, self._thread, self._reader = None, None, _NO_READER
		self._in_reader = threading.Lock()
		self.apdus = []  # that have come

	def __enter__(self):
		return self

	def __exit__(self, *_):
		if self._thread:
			self._thread.join()  # it ends with the emulator

	# ---- in a reader ---------------------------------------------------------------------------------

	def beside(self, socket):
		"""Serves an emulator that holds the other end of the socket, until that is closed."""
		self._socket, self._reader = socket, _NO_READER
		self._thread = threading.Thread(target=self._serve, daemon=True)
		self._thread.start()

	def _send(self, kind, data=b""):
		self._socket.sendall(struct.pack(">III", kind, self._reader, len(data)) + data)

	def _receive(self):
		kind, reader, length = struct.unpack(">III", self._exactly(12))
		return kind, reader, self._exactly(length)

	def _exactly(self, length):
		data = b""
		while len(data) < length:
			part = self._socket.recv(length - len(data))
			if not part:
				raise EOFError
			data += part
		return data

	def _serve(self):
		try:
			self._send(_INIT, b"VSCD" + struct.pack(">II", 2, 0))
			self._send(_READER_ADD, b"test\0")
			while True:
				kind, reader, data = self._receive()
				if kind == _ERROR and self._reader == _NO_READER:
					self._reader = reader
					if self._inserted:
						self._send(_ATR, ATR)
				elif kind == _APDU:
					self.apdus.append(data)
					with self._in_reader:
						if self._inserted:
							self._send(_APDU, self.applet.answer(data))
		except (EOFError, OSError):
			self._socket.close()

	def pull_out(self):
		with self._in_reader:
			self._inserted = False
			self._send(_CARD_REMOVE)

	def decrypt(self, encrypted):
		"""What a token holds."""
		return self._key.decrypt(encrypted, padding.PKCS1v15())

	# ---- with stock tools ------------------------------------------------------------------------------

	def enrol(self, image, passphrase):
		"""Adds a token for the card's key to the header of the image's only volume with systemd-cryptenroll, which finds
		the same key in SoftHSM."""
		with tokens.header(image) as path, tempfile.TemporaryDirectory() as folder:
			environment = self._softhsm(folder)
			tokens.tool("systemd-cryptenroll", "--pkcs11-token-uri=pkcs11:token=card", path,
				env={**environment, "PASSWORD": passphrase, "PIN": PIN})

	def _certificate(self):
		name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "card")]), datetime.datetime(2026, 1, 1)
		return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
			.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=36500))
			.sign(self._key, hashes.SHA256()))

	def _softhsm(self, folder):
		"""A PKCS#11 token of that folder's own with key and certificate; the environment in which tools find it."""
		os.makedirs(f"{folder}/tokens")
		os.makedirs(f"{folder}/.config/pkcs11/modules")
		for name, data in {
			"softhsm2.conf": f"directories.tokendir = {folder}/tokens\n".encode(),
			".config/pkcs11/pkcs11.conf": b"user-config: only\n",
			".config/pkcs11/modules/softhsm.module": f"module: {SOFTHSM}\n".encode(),
			"key.pem": self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
				serialization.NoEncryption()),
			"certificate.pem": self._certificate().public_bytes(serialization.Encoding.PEM),
		}.items():
			with open(f"{folder}/{name}", "wb") as out:
				out.write(data)
		environment = {**os.environ, "HOME": folder, "SOFTHSM2_CONF": f"{folder}/softhsm2.conf", "GNUTLS_PIN": PIN}
		for words in (
			("softhsm2-util", "--init-token", "--free", "--label", "card", "--so-pin", "12345678", "--pin", PIN),
			("softhsm2-util", "--import", f"{folder}/key.pem", "--token", "card", "--label", "card", "--id", "01", "--pin", PIN),
			("p11tool", f"--provider={SOFTHSM}", "--batch", "--login", "--write", "--label=card", "--id=01",
				"--load-certificate", f"{folder}/certificate.pem", "pkcs11:token=card"),
		):
			tokens.tool(*words, env=environment)
		return environment
