#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""judge.py IMAGE ORIGINAL PARTITION PASSPHRASE-FILE [EXPECTED-SECTOR-SIZE]

Says whether IMAGE is ORIGINAL with one partition encrypted, by code that shares
nothing with underseal: stock cryptsetup gives the volume key, python3-cryptography
decrypts, and every byte outside the partition, the new GPT entry and the header
partition must be as it was.
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HEADER_TYPE = bytes.fromhex("4a395d1df1ed60498ec5fe12396a73c0")


def gpt(image):
    """{number: (type, guid, first byte, bytes, name)}, and the byte ranges of both tables."""
    for lba in (512, 4096):
        image.seek(lba)
        header = image.read(92)
        if header[:8] == b"EFI PART":
            break
    else:
        sys.exit("no GPT")
    backup, = struct.unpack_from("<Q", header, 32)
    table, count, size = struct.unpack_from("<QII", header, 72)
    image.seek(table * lba)
    entries = image.read(count * size)
    found = {}
    for i in range(count):
        e = entries[i * size:(i + 1) * size]
        if e[:16] != bytes(16):
            first, last = struct.unpack_from("<QQ", e, 32)
            name = e[56:128].decode("utf-16-le").rstrip("\0")
            found[i + 1] = (e[:16], e[16:32], first * lba, (last - first + 1) * lba, name)
    table_bytes = count * size
    tables = [(0, lba), (lba, lba), (table * lba, table_bytes),
              (backup * lba - table_bytes, table_bytes), (backup * lba, lba)]
    return lba, found, tables


def stock(header, *words):
    return subprocess.run(["cryptsetup", "-q", *words, header], check=True, capture_output=True).stdout


def main():
    image_name, original_name, number, passphrase = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    image, original = open(image_name, "rb"), open(original_name, "rb")
    lba, parts, tables = gpt(image)
    before = gpt(original)[1]
    added = set(parts) - set(before)
    assert len(added) == 1, f"new partitions: {added}"
    assert all(parts[n] == before[n] for n in before), "an old GPT entry has changed"
    header_part = parts[added.pop()]
    assert header_part[0] == HEADER_TYPE, "type of the header partition"
    guid = parts[number][1]
    first8 = guid[3::-1].hex()
    assert header_part[4] == "underseal:" + first8, header_part[4]
    start, size = parts[number][2:4]

    with tempfile.TemporaryDirectory() as folder:
        header, key_file = folder + "/header", folder + "/key"
        image.seek(header_part[2])
        with open(header, "wb") as f:
            f.write(image.read(header_part[3]))
        text = json.loads(stock(header, "luksDump", "--dump-json-metadata"))
        with open(passphrase, "rb") as f:
            secret = f.read()
        stripped = folder + "/passphrase"
        with open(stripped, "wb") as f:
            f.write(secret[:-1] if secret.endswith(b"\n") else secret)
        stock(header, "luksDump", "--dump-volume-key", "--volume-key-file", key_file, "--key-file", stripped)
        with open(key_file, "rb") as f:
            key = f.read()
        data = folder + "/data"
        with open(data, "wb") as f:
            f.truncate(size)
        subprocess.run(["cryptsetup", "open", "--test-passphrase", "--key-file", stripped, "--header", header, data],
                       check=True)

    assert "requirements" not in text["config"], "the requirement is still set"
    assert list(text["segments"]) == ["0"] and list(text["digests"]) == ["0"], "not an ordinary header"
    segment = text["segments"]["0"]
    assert segment["encryption"] == "aes-xts-plain64" and segment["offset"] == "0" and segment["size"] == "dynamic"
    assert text["digests"]["0"]["segments"] == ["0"] and len(key) == 64
    slot = text["keyslots"]["0"]
    assert slot["kdf"]["type"] == "argon2id" and slot["kdf"]["memory"] <= 256 << 10, slot["kdf"]
    token, = text["tokens"].values()
    g = guid
    uuid = f"{g[3::-1].hex()}-{g[5:3:-1].hex()}-{g[7:5:-1].hex()}-{g[8:10].hex()}-{g[10:].hex()}"
    assert token["type"] == "underseal" and token["keyslots"] == [] and token["partuuid"] == uuid, token
    assert token["first_lba"] == str(start // lba) and token["last_lba"] == str((start + size) // lba - 1)
    assert token["lba_size"] == str(lba)
    sector = segment["sector_size"]
    if len(sys.argv) > 5:
        assert sector == int(sys.argv[5]), sector

    image.seek(start)
    original.seek(start)
    cipher_text, plain = image.read(size), original.read(size)
    for at in range(0, size, sector):
        decryptor = Cipher(algorithms.AES(key), modes.XTS(struct.pack("<QQ", at // 512, 0))).decryptor()
        if decryptor.update(cipher_text[at:at + sector]) != plain[at:at + sector]:
            sys.exit(f"byte {at} of the partition does not decrypt to what it was")

    image.seek(header_part[2])
    header_bytes = image.read(header_part[3])
    chunks = {header_bytes[at:at + 32] for at in range(0, len(header_bytes), 32)}
    for at in range(0, size, 4096):
        if hashlib.sha256(plain[at:at + 4096]).digest() in chunks:
            sys.exit(f"the header partition still has the checksum of the plaintext at byte {at}")

    allowed = sorted(tables + [(start, size), header_part[2:4]])
    at, end = 0, os.path.getsize(original_name)
    assert os.path.getsize(image_name) == end, "the image's size has changed"
    for first, length in allowed + [(end, 0)]:
        if first > at:
            image.seek(at)
            original.seek(at)
            assert image.read(first - at) == original.read(first - at), f"changed outside: {at}..{first}"
        at = max(at, first + length)
    print(f"{image_name}: {size >> 10} KiB in sectors of {sector} decrypt to the original, nothing else changed")


main()
