# SPDX-License-Identifier: Apache-2.0
"""One description of the machines under test and the one runner of them.

A Machine is a q35 with UEFI firmware, software-emulated SVM and nested paging, its disks on AHCI, NVMe or virtio,
its serial port on a socket. Waiting is for text that appears, never for time that passes: every limit is given
as the seconds a quiet two-core machine needs and stretched by PATIENCE before it counts as a failure.
"""
import dataclasses
import json
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import places

CPU = "EPYC,+svm,+npt"
CPU_WITHOUT_SVM = "EPYC,-svm"

# A limit is this many times what a quiet machine needs; UNDERSEAL_SLOW=2 doubles it again for a slow one.
PATIENCE = 5 * float(os.environ.get("UNDERSEAL_SLOW", "1"))

# A plugin of QEMU's translator that watches every machine; see tests/coverage/.
PLUGIN = os.environ.get("UNDERSEAL_PLUGIN", "")

# Text after which waiting for anything else is in vain.
FATAL = re.compile(r"Kernel panic - not syncing|underseal: panic|X64 Exception Type")

# ANSI sequences, which the firmware's console weaves into its words.
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
UNFINISHED_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?=]*|[()])?$")


class MachineError(Exception):
	"""A machine did not do what was expected of it; the message carries the end of its console."""


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


class Machine:
	"""Started by `with Machine(...) as machine:`; killed at the end of the block whatever happened in it."""

	def __init__(self, name, disks, *, cpus=1, memory=768, cpu=CPU, firmware=FIRMWARE, reboots=False, keep_memory=False,
			parallel=False, options=()):
		"""`memory` in MiB; `reboots` lets the guest reset instead of ending QEMU; with `keep_memory` a power-off
		leaves the machine stopped, for its memory to be read. Its CPUs take turns, unless `parallel`: QEMU 7.2 loses
		bits of the first CPU's state when another restores its FPU at the same moment, and systems do that all the
		time (docs/caveats.md)."""
		self.name = name
		self.directory = places.fresh(f"{places.MACHINES}/{name}")
		self.log_path = f"{self.directory}/serial.log"
		self.debug_path = f"{self.directory}/debug.log"
		self.cpus, self.memory = cpus, memory
		self.threads = "multi" if parallel else "single"
		self._command = self._describe(disks, cpu, firmware, reboots, keep_memory) + list(options)
		self._text = ""
		self._read_to = 0
		self._grown = threading.Condition()
		self._ended_output = False
		self._markers, self._begun = 0, ""
		self.started_at = None
		self._process = None

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

	# ---- its life ------------------------------------------------------------------------------------

	def __enter__(self):
		# Socket pairs instead of paths: nothing to connect to, nothing to clean up, no limit on a path's length.
		self._serial, serial_end = socket.socketpair()
		self._monitor, monitor_end = socket.socketpair()
		self._command += [
			"-chardev", f"socket,id=com1,fd={serial_end.fileno()}", "-serial", "chardev:com1",
			"-chardev", f"socket,id=qmp,fd={monitor_end.fileno()}", "-mon", "chardev=qmp,mode=control"]
		with open(f"{self.directory}/command", "w", encoding="utf-8") as command:
			command.write(" ".join(self._command) + "\n")
		self.started_at = time.monotonic()
		with open(f"{self.directory}/qemu.log", "wb") as log:
			self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
				pass_fds=(serial_end.fileno(), monitor_end.fileno()))
		serial_end.close()
		monitor_end.close()
		self._monitor_lines = self._monitor.makefile("r", encoding="utf-8")
		self._monitor.settimeout(20 * PATIENCE)
		threading.Thread(target=self._read_serial, daemon=True).start()
		try:
			json.loads(self._monitor_lines.readline())
			self.qmp("qmp_capabilities")
		except (ValueError, OSError) as problem:
			self.kill()
			with open(f"{self.directory}/qemu.log", encoding="utf-8") as log:
				raise MachineError(f"{self.name}: QEMU did not start: {log.read()}") from problem
		return self

	def __exit__(self, *_):
		self.kill()

	def kill(self):
		if self._process.poll() is None:
			self._process.kill()
		self._process.wait()
		self._serial.close()
		self._monitor.close()

	def running(self):
		return self._process.poll() is None

	def wait_end(self, seconds=10):
		"""Waits for QEMU to end by itself, as it does at a power-off."""
		try:
			self._process.wait(seconds * PATIENCE)
		except subprocess.TimeoutExpired:
			raise self._failure("the machine did not power off") from None
		if self._process.returncode != 0:
			raise self._failure(f"QEMU ended with status {self._process.returncode}")

	def seconds(self):
		"""Wall seconds since the start."""
		return time.monotonic() - self.started_at

	def cpu_seconds(self):
		"""CPU seconds the emulator has used so far: the figure other load on this machine blurs least."""
		with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stat:
			fields = stat.read().rpartition(")")[2].split()
		return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

	# ---- its console ---------------------------------------------------------------------------------

	def _read_serial(self):
		pending = b""
		with open(self.log_path, "wb") as log:
			while True:
				# It comes a few bytes at a time: what comes within some milliseconds is taken together.
				time.sleep(0.005)
				try:
					data = self._serial.recv(65536)
				except OSError:
					data = b""
				with self._grown:
					if not data:
						self._ended_output = True
						self._grown.notify_all()
						return
					log.write(data)
					log.flush()
					text = (pending + data).decode("latin-1").replace("\r", "")
					unfinished = UNFINISHED_ESCAPE.search(text)
					pending = text[unfinished.start():].encode("latin-1") if unfinished else b""
					self._text += ESCAPES.sub("", text[:unfinished.start()] if unfinished else text)
					self._grown.notify_all()

	def text(self):
		"""Everything the console said so far, without its escape sequences."""
		with self._grown:
			return self._text

	def tail(self, lines=30):
		said = [line.rstrip() for line in self.text().splitlines() if line.strip()]
		return "\n".join("    | " + line for line in said[-lines:])

	def debug_log(self):
		"""What the hypervisor said on the debug port."""
		try:
			with open(self.debug_path, encoding="latin-1") as log:
				return log.read()
		except FileNotFoundError:
			return ""

	def _failure(self, what):
		debug = "".join(f"    : {line}\n" for line in self.debug_log().splitlines()[-15:])
		return MachineError(f"{self.name}: {what}, after {self.seconds():.0f} s; the end of its console "
			f"(whole: {os.path.relpath(self.log_path)}):\n{self.tail()}"
			+ (f"\n    the end of the hypervisor's debug log:\n{debug}" if debug else ""))

	def wait(self, pattern, seconds=20):
		"""Waits for text that matches `pattern`, which stays within a line, after what the last wait consumed;
		returns the match. `seconds` is what a quiet machine needs."""
		wanted = re.compile(pattern, re.MULTILINE)
		deadline = time.monotonic() + seconds * PATIENCE
		with self._grown:
			at = self._read_to
			while True:
				match = wanted.search(self._text, at)
				if match:
					self._read_to = match.end()
					return match
				if FATAL.search(self._text, at):
					raise self._failure(f"it died while /{pattern}/ was awaited")
				if self._ended_output:
					raise self._failure(f"it ended while /{pattern}/ was awaited")
				left = deadline - time.monotonic()
				if left <= 0:
					raise self._failure(f"/{pattern}/ did not appear")
				# Only the line that the text grows in is looked at again.
				at = max(at, self._text.rfind("\n") + 1)
				self._grown.wait(left)

	def send(self, text):
		self._serial.sendall(text.encode())

	# ---- its shell -----------------------------------------------------------------------------------

	def quiet_shell(self):
		"""Turns the shell at the other end into one that neither echoes nor prompts, ready for run().
		The marker is written in two halves so that its echo cannot be taken for its output."""
		self.send("exec sh\n")
		self.send("stty -echo; PS1=; PS2=; echo shell'-'ready\n")
		self.wait(r"shell-ready\n", 20)

	def login(self, seconds=60):
		"""Waits for Debian's login prompt and logs in as root."""
		self.wait(r"login: ", seconds)
		self.send("root\n")
		self.wait(r"Password: ")
		self.send("root\n")
		self.wait(r"root@[^\n]*# ")
		self.quiet_shell()

	def begin(self, command):
		"""Starts a shell command in the guest; finish() gives its output."""
		self._markers += 1
		self.send(f"{{ {command}\n}} 2>&1; echo \"[ended-{self._markers}:$?]\"\n")
		self._begun = command

	def finish(self, seconds=20, check=True):
		"""What the command wrote since the last wait; with `check`, its failure is ours."""
		start = self._read_to
		match = self.wait(rf"\[ended-{self._markers}:(\d+)\]\n", seconds)
		output, status = self.text()[start:match.start()], int(match.group(1))
		if check and status != 0:
			raise self._failure(f"in the guest, `{self._begun}` ended with status {status} and said: {output.strip()}")
		return output

	def run(self, command, seconds=20, check=True):
		"""Runs a shell command in the guest and returns what it wrote."""
		self.begin(command)
		return self.finish(seconds, check)

	def attach(self):
		"""Gives the console to this terminal until the machine ends; Ctrl-] kills it."""
		import termios
		import tty
		shown = 0
		before = termios.tcgetattr(0)
		tty.setraw(0)
		try:
			while self.running() and not self._ended_output:
				with open(self.log_path, "rb") as log:
					log.seek(shown)
					data = log.read()
				shown += len(data)
				os.write(1, data)
				if select.select([0], [], [], 0.02)[0]:
					typed = os.read(0, 1024)
					if b"\x1d" in typed:
						return
					self._serial.sendall(typed)
		finally:
			termios.tcsetattr(0, termios.TCSADRAIN, before)

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
