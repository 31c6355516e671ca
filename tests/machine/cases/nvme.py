# SPDX-License-Identifier: Apache-2.0
"""Disks on NVMe controllers: protected, unprotected, beside others, unplugged."""
import checks
from case import case


@case("fio verify on an NVMe disk with 512-byte cipher sectors, judged by stock tools", cost=6)
def nvme_verify_512():
	checks.fio_then_judge("nvme-verify-512", 512, 1, bus="nvme")


@case("likewise with 4096-byte cipher sectors on blocks of 512 bytes", cost=6)
def nvme_verify_4096():
	checks.fio_then_judge("nvme-verify-4096", 4096, 2, bus="nvme")


@case("likewise where the guest has the controller's interrupts by a pin", cost=6)
def nvme_pin_interrupts():
	checks.fio_then_judge("nvme-pin-interrupts", 512, 2, kernel_options="pci=nomsi", bus="nvme")
