# SPDX-License-Identifier: Apache-2.0
"""event_log.py LOG EVENT...: writes a firmware's event log with the bank of SHA-256 (TCG PC Client Platform Firmware
Profile, 10.2). An EVENT is PCR,TYPE,FILE,TEXT: FILE is what was measured, TEXT what the log says of it. Prints what
tpm2_pcrextend takes for each."""
import hashlib
import struct
import sys

SHA256 = 0xb


def header():
    data = b"Spec ID Event03\0" + struct.pack("<IBBBB", 0, 0, 2, 0, 2) + struct.pack("<IHH", 1, SHA256, 32) + b"\0"
    return struct.pack("<II20xI", 0, 3, len(data)) + data


def event(pcr, kind, digest, text):
    return struct.pack("<IIIH", pcr, kind, 1, SHA256) + digest + struct.pack("<I", len(text)) + text


with open(sys.argv[1], "wb") as log:
    log.write(header())
    for word in sys.argv[2:]:
        pcr, kind, file, text = word.split(",", 3)
        with open(file, "rb") as measured:
            digest = hashlib.sha256(measured.read()).digest()
        log.write(event(int(pcr), int(kind, 0), digest, text.encode() + b"\0"))
        print(f"{pcr}:sha256={digest.hex()}")
