# SPDX-License-Identifier: Apache-2.0
"""A machine under test as its serial port shows it, whichever emulator runs it.

Waiting is for text that appears, never for time that passes: every limit is given as the seconds a quiet two-core
machine needs and stretched by PATIENCE before it counts as a failure.
"""
import os
import re
import select
import subprocess
import threading
import time

import places

# A limit is this many times what a quiet machine needs; UNDERSEAL_SLOW=2 doubles it again for a slow one.
PATIENCE = 5 * float(os.environ.get("UNDERSEAL_SLOW", "1"))

# Text after which waiting for anything else is in vain.
FATAL = re.compile(r"Kernel panic - not syncing|underseal: panic|X64 Exception Type")

# ANSI sequences, which the firmware's console weaves into its words.
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
UNFINISHED_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?=]*|[()])?$")


class MachineError(Exception):
	"""A machine did not do what was expected of it; the message carries the end of its console."""


class Console:
	"""An emulator's process and the socket that is the machine's serial port. Those who inherit start the process in
	__enter__ and hand both to _begin(); they are closed at the end of the block whatever happened in it."""

	def __init__(self, name):
		self.name = name
		self.directory = places.fresh(f"{places.MACHINES}/{name}")
		self.log_path = f"{self.directory}/serial.log"
		self.debug_path = f"{self.directory}/debug.log"
		self._text = ""
		self._read_to = 0
		self._grown = threading.Condition()
		self._ended_output = False
		self._markers, self._begun = 0, ""
		self.started_at = None
		self._process = None
		self._serial = None

	def _begin(self, process, serial):
		self._process, self._serial = process, serial
		threading.Thread(target=self._read_serial, daemon=True).start()

	def __exit__(self, *_):
		self.kill()

	def kill(self):
		if self._process.poll() is None:
			self._process.kill()
		self._process.wait()
		self._serial.close()

	def running(self):
		return self._process.poll() is None

	def _wait_process(self, seconds):
		try:
			self._process.wait(seconds * PATIENCE)
		except subprocess.TimeoutExpired:
			raise self._failure("the machine did not power off") from None

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
