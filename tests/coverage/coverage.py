# SPDX-License-Identifier: Apache-2.0
"""coverage.py [NAME...]: runs all tests and counts which lines of the product ran; with names, only these machine
tests and no host tests, and what earlier runs have counted stays. Writes docs/coverage.md and build/coverage.json
(with names build/coverage.md), and fails below LEAST percent or when a test failed.

Machines are watched by a plugin of QEMU's translator (plugin.c), host tests by gcov.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE]

import host    # noqa: E402
import report  # noqa: E402
from image import Image  # noqa: E402

LEAST = 85
BUILD = f"{TREE}/build/coverage"
# A plugin slows machines down, instructions of ours most.
SLOWER = 2

PREFACE = """# Coverage

Made by `make coverage` at {commit}: **{total:.1f} %** of the lines of `hv/`, `storage/` and `keymgmt/` run in at least one test;
the command fails below {least} %.

- **What runs**: `make check` (without sanitizers, counted by gcov) and every machine case of `make test`, watched
  by a plugin of QEMU's translator (`tests/coverage/plugin.c`) that counts each executed instruction of the
  hypervisor's image and of `underseal.efi`. Fuzzers, benches and the demo do not count.
- **A line** is one for which the debug information of the image, or gcov, has a statement. It is covered when either saw
  it run. The images are optimised: a line whose work the compiler has merged with its neighbour's runs with it.
- **Left out**: assembly (`.S`), and `installer/`, which `make check` tests as a program.
"""


def _images():
	return [Image(f"{TREE}/build/hv.elf", "start_init", BUILD), Image(f"{TREE}/build/underseal.so", "_start", BUILD)]


def _run_host_tests():
	host.forget(BUILD)
	return subprocess.run(["make", "-C", TREE, "check", "B=build/coverage/host", "T=", "HOST_CHECKS=--coverage",
		"TOOL_CHECKS=--coverage"], check=False).returncode == 0


def _run_machines(images, names):
	plugin = ",".join([f"{BUILD}/plugin.so"] + [image.argument() for image in images])
	slow = float(os.environ.get("UNDERSEAL_SLOW", "1")) * SLOWER
	environment = dict(os.environ, UNDERSEAL_PLUGIN=plugin, UNDERSEAL_SLOW=str(slow))
	return subprocess.run([sys.executable, "-u", f"{TREE}/tests/machine/run.py", *names], env=environment,
		check=False).returncode == 0


def _commit():
	"""The line numbers are those of this one."""
	return subprocess.run(["git", "-C", TREE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
		check=True).stdout.strip()


def _write(path, text):
	with open(path, "w", encoding="utf-8") as out:
		out.write(text)


def _report(images, path):
	merged = report.merge(host.lines(BUILD), *(image.lines() for image in images))
	_write(f"{TREE}/build/coverage.json", report.as_json(merged, LEAST))
	_write(path, report.as_markdown(merged, PREFACE, least=LEAST, commit=_commit()))
	total = report.total(merged)
	print(f"coverage: {total:.1f} % of {sum(map(len, merged.values()))} lines, at least {LEAST} %; "
		f"see {os.path.relpath(path, TREE)}", flush=True)
	return total >= LEAST


def main():
	names = sys.argv[1:]
	images = _images()
	for image in images:
		image.write(fresh=not names)
	passed = True if names else _run_host_tests()
	passed = _run_machines(images, names) and passed
	enough = _report(images, f"{TREE}/build/coverage.md" if names else f"{TREE}/docs/coverage.md")
	return 0 if passed and enough else 1


if __name__ == "__main__":
	sys.exit(main())
