# SPDX-License-Identifier: Apache-2.0
"""NVMe: what data.py asks of AHCI, and what only NVMe has."""
import setups
from case import case
from cases import data
from qemu import Disk


@case("NVMe: fio verify on 512-byte cipher sectors, then the whole namespace judged by stock tools", cost=6)
def nvme_verify_512():
	data.fio_then_judge("nvme-verify-512", 512, 1, bus="nvme")


@case("NVMe: fio verify on 4096-byte cipher sectors in 512-byte blocks, two CPUs, judged likewise", cost=6)
def nvme_verify_4096():
	data.fio_then_judge("nvme-verify-4096", 4096, 2, bus="nvme")
