#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mkgpt.py FILE MIB LBA-BYTES [TYPE:FIRST-KIB:KIB[:NAME]]...

Makes an image with a GPT (UEFI specification, section 5.3) and random bytes in
every partition and between them. KIB `-` is up to the last usable sector, however
odd that is. TYPE is `linux`, `esp` or a GUID.
"""
import binascii
import os
import struct
import sys
import uuid

TYPES = {"linux": "0fc63daf-8483-4772-8e79-3d69d8477de4", "esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"}


def main():
    name, size, lba = sys.argv[1], int(sys.argv[2]) << 20, int(sys.argv[3])
    table = 16384 // lba
    last = size // lba - 1
    first_usable, last_usable = 2 + table, last - table - 1
    entries = bytearray(16384)
    for i, text in enumerate(sys.argv[4:]):
        kind, first, length, *name_of = text.split(":")
        first = int(first) * 1024 // lba
        end = last_usable if length == "-" else first + int(length) * 1024 // lba - 1
        struct.pack_into("<16s16sQQQ72s", entries, i * 128, uuid.UUID(TYPES.get(kind, kind)).bytes_le,
                         uuid.uuid4().bytes_le, first, end, 0, (name_of or [f"part {i + 1}"])[0].encode("utf-16-le"))
    disk = uuid.uuid4().bytes_le

    def header(own, other, table_at):
        h = bytearray(struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, first_usable,
                                  last_usable, disk, table_at, 128, 128, binascii.crc32(entries)))
        struct.pack_into("<I", h, 16, binascii.crc32(h))
        return bytes(h).ljust(lba, b"\0")

    mbr = bytearray(lba)
    struct.pack_into("<B3sB3sII", mbr, 446, 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF))
    mbr[510:512] = b"\x55\xaa"
    with open(name, "wb") as f:
        f.write(mbr + header(1, last, 2) + entries)
        f.write(os.urandom(size - f.tell() - (1 + table) * lba))
        f.write(entries + header(last, 1, last - table))


main()
