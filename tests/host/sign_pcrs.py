# SPDX-License-Identifier: Apache-2.0
"""sign_pcrs.py KEY OUT PCR=VALUE...: writes a tpm2-pcr-signature.json as systemd-measure does: each PCR=VALUE (of the
bank of SHA-256, in hex) is a policy of its own, signed with the private key in the PEM file."""
import base64
import hashlib
import json
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

POLICY_PCR = 0x17f
SHA256 = 0xb

with open(sys.argv[1], "rb") as file:
    key = load_pem_private_key(file.read(), None)
fingerprint = hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).hexdigest()
entries = []
for word in sys.argv[3:]:
    pcr, value = word.split("=")
    selection = struct.pack(">IHB", 1, SHA256, 3) + (1 << int(pcr)).to_bytes(3, "little")
    policy = hashlib.sha256(bytes(32) + struct.pack(">I", POLICY_PCR) + selection +
        hashlib.sha256(bytes.fromhex(value)).digest()).digest()
    signature = key.sign(policy, padding.PKCS1v15(), hashes.SHA256())
    entries.append({"pcrs": [int(pcr)], "pkfp": fingerprint, "pol": policy.hex(), "sig": base64.b64encode(signature).decode()})
with open(sys.argv[2], "w", encoding="ascii") as out:
    json.dump({"sha256": entries}, out)
