# SPDX-License-Identifier: Apache-2.0
"""One description of the machines under test and the one runner of them.

A Machine is a q35 with UEFI firmware, software-emulated SVM and nested paging, its disks on AHCI, NVMe or virtio,
its serial port on a socket. Waiting is for text that appears, never for time that passes: every limit is given
as the seconds a quiet two-core machine needs and stretched by PATIENCE before it counts as a failure.
"""
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import time

from console import PATIENCE, Console, MachineError

CPU = "EPYC,+svm,+npt"
CPU_WITHOUT_SVM = "EPYC,-svm"

# A plugin of QEMU's translator that watches every machine; see tests/coverage/.
PLUGIN = os.environ.get("UNDERSEAL_PLUGIN", "")


@dataclasses.dataclass(frozen=True)
class Firmware:
	"""A build of OVMF, the variables it begins with, and what it asks of the machine."""
	code: str
	variables: str
	machine: str = "q35"
	options: tuple = ()


FIRMWARE = Firmware("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")
# The chipset with an ATA controller on ports of its own.
FIRMWARE_PC = Firmware(FIRMWARE.code, FIRMWARE.variables, "pc")
# Secure Boot with keys that everybody has; its variables are kept by code in system management mode.
FIRMWARE_SECURE = Firmware("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd",
	"q35,smm=on", ("-global", "driver=cfi.pflash01,property=secure,value=on"))


ATA_DEVICES = {1: "piix3-ide", 2: "piix4-ide"}


@dataclasses.dataclass
class Disk:
	"""A raw image and where it hangs. On `bus="ahci"` controller 0 is the chipset's own, 1 and up are further `ahci`
	devices; on "nvme" each controller is a device of its own, with the name and serial number nvme0, nvme1, ...
	On "ata" controller 0 is that of FIRMWARE_PC, 1 and 2 are the devices of ATA_DEVICES; the port is 2 for the secondary
	channel and 1 for drive 1. `bus="virtio"` is a disk underseal never mediates."""
	path: str
	bus: str = "ahci"
	controller: int = 0
	port: int = 0
	namespace: int = 1
	lba_bytes: int = 512
	metadata_bytes: int = 0  # of each block of a namespace but the first
	root_port: bool = False  # an NVMe controller that can be unplugged
	boot: bool = False
	snapshot: bool = False
	readonly: bool = False
	serial: str = ""

	def arguments(self, number):
		drive = f"if=none,id=disk{number},format=raw,file={self.path},discard=unmap,cache=unsafe"
		drive += ",snapshot=on" if self.snapshot else ""
		drive += ",readonly=on" if self.readonly else ""
		if self.bus == "virtio":
			device = f"virtio-blk-pci,drive=disk{number},serial={self.serial}"
		elif self.bus == "nvme":
			device = (self._namespace() + f",drive=disk{number},logical_block_size={self.lba_bytes},"
				f"physical_block_size={self.lba_bytes}")
		else:
			bus = "ide" if self.controller == 0 else f"{self.bus}{self.controller}"
			place = f"{self.port // 2},unit={self.port % 2}" if self.bus == "ata" else f"{self.port}"
			device = f"ide-hd,drive=disk{number},bus={bus}.{place}"
			device += f",serial={self.serial}" if self.serial else ""
		return ["-drive", drive, "-device", device + (",bootindex=0" if self.boot else "")]

	def node(self, partition=0):
		"""What Linux calls the disk, or one of its partitions, when it is on the only controller of its kind."""
		if self.bus == "nvme":
			return f"/dev/nvme0n{self.namespace}" + (f"p{partition}" if partition else "")
		return "/dev/sda" + (str(partition) if partition else "")

	def _namespace(self):
		name = f"nvme{self.controller}"
		if self.namespace == 1:  # it comes with its controller
			return f"nvme,id={name},serial={name}" + (f",bus=port-{name}" if self.root_port else "")
		return f"nvme-ns,bus={name},nsid={self.namespace},ms={self.metadata_bytes}"


def _byte_pair():
	"""A pair of sockets for a stream of single bytes. A Unix one has room for some 278 writes whatever their size, and
	QEMU drops what a serial port writes beyond; a TCP one joins them."""
	with socket.create_server(("127.0.0.1", 0)) as server:
		end = socket.create_connection(server.getsockname())
		other, peer = server.accept()
	assert peer == end.getsockname(), "somebody else has connected"
	end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	return other, end


class Machine(Console):
	"""Started by `with Machine(...) as machine:`; killed at the end of the block whatever happened in it."""

	def __init__(self, name, disks, *, cpus=1, memory=768, cpu=CPU, firmware=FIRMWARE, reboots=False, keep_memory=False,
			parallel=False, tpm=None, card=None, options=()):
		"""`memory` in MiB; `reboots` lets the guest reset instead of ending QEMU; with `keep_memory` a power-off
		leaves the machine stopped, for its memory to be read; `tpm` is a tpm.Tpm, `card` a piv.Card in a reader. Its CPUs
		take turns, unless `parallel`: QEMU 7.2 loses bits of the first CPU's state when another restores its FPU at the
		same moment, and systems do that all the time (docs/caveats.md)."""
		super().__init__(name)
		self.cpus, self.memory = cpus, memory
		self._tpm, self._tpm_process = tpm, None
		self._card = card
		self.threads = "multi" if parallel else "single"
		self._command = self._describe(disks, cpu, firmware, reboots, keep_memory) + list(options)

	def _describe(self, disks, cpu, firmware, reboots, keep_memory):
		chipset = {disk.bus for disk in disks if disk.controller == 0} & {"ahci", "ata"}
		assert chipset <= {"ata" if firmware.machine == "pc" else "ahci"}, f"{firmware.machine} has no controller for {chipset}"
		variables = f"{self.directory}/vars.fd"
		shutil.copy(firmware.variables, variables)
		command = ["qemu-system-x86_64", "-accel", f"tcg,thread={self.threads}", "-nodefaults", "-display", "none",
			"-machine", firmware.machine, "-cpu", cpu, "-smp", str(self.cpus), "-m", str(self.memory),
			"-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={firmware.code}",
			"-drive", f"if=pflash,format=raw,unit=1,file={variables}", *firmware.options,
			"-debugcon", f"file:{self.debug_path}", "-global", "isa-debugcon.iobase=0x402"]
		for controller in sorted({disk.controller for disk in disks if disk.bus == "ahci"} - {0}):
			command += ["-device", f"ahci,id=ahci{controller}"]
		for controller in sorted({disk.controller for disk in disks if disk.bus == "ata"} - {0}):
			command += ["-device", f"{ATA_DEVICES[controller]},id=ata{controller}"]
		# A controller comes with its first namespace, and stands before the others.
		on_nvme = [disk for disk in disks if disk.bus == "nvme"]
		for controller in sorted({disk.controller for disk in on_nvme} -
				{disk.controller for disk in on_nvme if disk.namespace == 1}):
			command += ["-device", f"nvme,id=nvme{controller},serial=nvme{controller}"]
		for chassis, disk in enumerate(disk for disk in on_nvme if disk.root_port):
			command += ["-device", f"pcie-root-port,id=port-nvme{disk.controller},chassis={chassis + 1}"]
		for number, disk in sorted(enumerate(disks), key=lambda numbered: numbered[1].namespace):
			command += disk.arguments(number)
		command += [] if reboots else ["-no-reboot"]
		command += ["-no-shutdown"] if keep_memory else []
		command += ["-plugin", PLUGIN] if PLUGIN else []
		return command

	def __enter__(self):
		# Socket pairs instead of paths: nothing to connect to, nothing to clean up, no limit on a path's length.
		serial, serial_end = _byte_pair()
		self._monitor, monitor_end = socket.socketpair()
		self._command += [
			"-chardev", f"socket,id=com1,fd={serial_end.fileno()}", "-serial", "chardev:com1",
			"-chardev", f"socket,id=qmp,fd={monitor_end.fileno()}", "-mon", "chardev=qmp,mode=control"]
		ends = [serial_end, monitor_end] + self._start_tpm() + self._start_card()
		with open(f"{self.directory}/command", "w", encoding="utf-8") as command:
			command.write(" ".join(self._command) + "\n")
		self.started_at = time.monotonic()
		with open(f"{self.directory}/qemu.log", "wb") as log:
			process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
				pass_fds=[end.fileno() for end in ends])
		for end in ends:
			end.close()
		self._monitor_lines = self._monitor.makefile("r", encoding="utf-8")
		self._monitor.settimeout(20 * PATIENCE)
		self._begin(process, serial)
		try:
			json.loads(self._monitor_lines.readline())
			self.qmp("qmp_capabilities")
		except (ValueError, OSError) as problem:
			self.kill()
			with open(f"{self.directory}/qemu.log", encoding="utf-8") as log:
				raise MachineError(f"{self.name}: QEMU did not start: {log.read()}") from problem
		return self

	def _start_tpm(self):
		"""The emulator's end of the TPM's socket, in a list; none without a TPM."""
		if not self._tpm:
			return []
		control, end = socket.socketpair()
		self._tpm_process = self._tpm.beside(control)
		control.close()
		self._command += ["-chardev", f"socket,id=tpm,fd={end.fileno()}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
			"-device", "tpm-tis,tpmdev=tpm0"]
		return [end]

	def _start_card(self):
		"""The emulator's end of the smartcard's socket, in a list; none, and no reader either, without a card."""
		if not self._card:
			return []
		ours, end = socket.socketpair()
		self._card.beside(ours)
		self._command += ["-chardev", f"socket,id=card,fd={end.fileno()}", "-device", "qemu-xhci,id=usb",
			"-device", "usb-ccid,id=reader,bus=usb.0", "-device", "ccid-card-passthru,bus=reader.0,chardev=card"]
		return [end]

	def unplug_reader(self):
		"""The smartcard's, with the card in it."""
		self.qmp("device_del", id="reader")

	def break_tpm(self):
		"""From now on the TPM answers nothing but errors."""
		self._tpm_process.kill()
		self._tpm_process.wait()

	def kill(self):
		super().kill()
		self._monitor.close()
		if self._tpm_process:
			# It ends with the connection; one that does not is ours to end.
			try:
				self._tpm_process.wait(5)
			except subprocess.TimeoutExpired:
				self._tpm_process.kill()
				self._tpm_process.wait()

	def wait_end(self, seconds=10):
		"""Waits for QEMU to end by itself, as it does at a power-off."""
		self._wait_process(seconds)
		if self._process.returncode != 0:
			raise self._failure(f"QEMU ended with status {self._process.returncode}")

	# ---- its monitor ---------------------------------------------------------------------------------

	def qmp(self, command, **arguments):
		self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
		while True:
			line = self._monitor_lines.readline()
			if not line:
				raise self._failure(f"the monitor ended at {command}")
			answer = json.loads(line)
			if "error" in answer:
				raise self._failure(f"the monitor refused {command}: {answer['error']['desc']}")
			if "return" in answer:
				return answer["return"]

	def type_keys(self, *keys):
		"""Presses keys of the keyboard one after the other, by QEMU's names of where they are; `+` joins those that are
		down together."""
		for key in keys:
			self.qmp("send-key", keys=[{"type": "qcode", "data": name} for name in key.split("+")])

	def screenshot(self, path):
		"""What its screen shows, as a PNG."""
		self.qmp("screendump", filename=os.path.abspath(path), format="png")

	def reset(self):
		"""The reset button."""
		self.qmp("system_reset")

	def pause(self):
		self.qmp("stop")

	def resume(self):
		self.qmp("cont")

	def wait_stopped(self, seconds=10):
		"""Waits for the power-off of a machine made with keep_memory."""
		deadline = time.monotonic() + seconds * PATIENCE
		while self.qmp("query-status")["status"] != "shutdown":
			if time.monotonic() > deadline:
				raise self._failure("the machine did not power off")
			time.sleep(0.1)

	def dump_memory(self, path):
		"""Writes all RAM below the PCI hole to a file; machines under test have none above."""
		self.qmp("pmemsave", val=0, size=self.memory << 20, filename=os.path.abspath(path))
