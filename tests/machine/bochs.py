# SPDX-License-Identifier: Apache-2.0
"""Machines of Bochs', which emulates Intel's virtualisation: an i440FX with UEFI firmware, its disks on ATA.

The same description as QEMU's, as far as there is such a thing here: ATA disks alone, no monitor.
"""
import os
import socket
import subprocess
import time

import gpt
import image
import places
from console import Console, MachineError

HASWELL = "corei7_haswell_4770"
SANDY_BRIDGE = "corei7_sandy_bridge_2600k"  # no accessed and dirty bits in its nested tables, no 1 GiB pages there
LYNNFIELD = "corei5_lynnfield_750"          # no unrestricted guest
PENRYN = "core2_penryn_t9600"               # no nested paging

# The first program, which gives the firmware its tables, and where it goes on.
ACPI_EFI = f"{places.BUILD}/bochs/acpi.efi"
NEXT_ON_ESP = "EFI/next/next.efi"
POLICY_ON_ESP = "EFI/next/underseal.conf"

# ... which may be the hypervisor without a volume, and then this.
START_EFI = f"{places.BUILD}/bochs/start.efi"
GUEST_ON_ESP = "EFI/guest/guest.efi"

# Bochs wants whole cylinders; gpt.make() makes whole MiB. Both are whole in multiples of this.
DISK_MIB = 63
DATA_MIB = DISK_MIB - 2 - image.SLACK_MIB  # of a partition that fills such a disk, as image.data_disk() makes it
HEADS, SECTORS = 16, 63
CONNECT_SECONDS = 60
# Instructions in a second of the machine's time. What talks much waits less for the serial port when they are few.
IPS = 50000000
TALKATIVE_IPS = 5000000
FIRMWARE_SECONDS = 60  # to the first program

# A power-off ends Bochs as if it had failed. Its words are what tells.
POWERED_OFF = "ACPI control: soft power off"

CONFIG = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
speaker: enabled=0
sound: driver=dummy
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={memory}
romimage: file=/usr/share/ovmf/OVMF.fd, address=0xffe00000
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=utc
com1: enabled=1, mode=socket-client, dev=localhost:{port}
log: {directory}/bochs.log
debugger_log: -
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
"""


def disk_line(disk):
	"""`disk.port` is 2 for the secondary channel and 1 for drive 1, as on QEMU's ATA."""
	assert disk.bus == "ata" and disk.controller == 0, "Bochs has one controller, of ATA disks"
	bytes_ = os.path.getsize(disk.path)
	assert bytes_ % (DISK_MIB * gpt.MIB) == 0, f"{disk.path} is not a multiple of {DISK_MIB} MiB"
	place = f"ata{disk.port // 2}-{('master', 'slave')[disk.port % 2]}"
	cylinders = bytes_ // (HEADS * SECTORS * gpt.SECTOR)
	return (f"{place}: type=disk, mode=flat, path={disk.path}, cylinders={cylinders}, heads={HEADS}, spt={SECTORS}, "
		f"translation=none\n")


class Bochs(Console):
	"""Started by `with Bochs(...) as machine:`; killed at the end of the block whatever happened in it."""

	def __init__(self, name, disks, *, cpus=1, memory=512, model=HASWELL, ips=IPS):
		super().__init__(name)
		self._log_path = f"{self.directory}/bochs.log"
		self._describe = lambda port: CONFIG.format(model=model, cpus=cpus, memory=memory, ips=ips, port=port,
			directory=self.directory) + "".join(disk_line(disk) for disk in disks)

	def __enter__(self):
		with socket.create_server(("127.0.0.1", 0)) as listener:
			with open(f"{self.directory}/config", "w", encoding="ascii") as config:
				config.write(self._describe(listener.getsockname()[1]))
			with open(f"{self.directory}/debugger", "w", encoding="ascii") as commands:
				commands.write("c\n")
			command = ["bochs-bin", "-q", "-unlock", "-f", f"{self.directory}/config", "-rc", f"{self.directory}/debugger"]
			self.started_at = time.monotonic()
			with open(f"{self.directory}/output", "wb") as output:
				process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
					env=dict(os.environ, BXSHARE="/usr/share/bochs"))
			listener.settimeout(CONNECT_SECONDS)
			try:
				serial, _ = listener.accept()
			except OSError as problem:
				process.kill()
				raise MachineError(f"{self.name}: Bochs did not start; see {self.directory}/output") from problem
		self._begin(process, serial)
		return self

	def wait_end(self, seconds=10):
		self._wait_process(seconds)
		with open(self._log_path, encoding="latin-1") as log:
			if POWERED_OFF not in log.read():
				raise self._failure(f"Bochs ended, and not by a power-off (see {os.path.relpath(self._log_path)})")
