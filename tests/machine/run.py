# SPDX-License-Identifier: Apache-2.0
"""run.py [NAME]: the machine tests, two side by side; with NAME only those whose name or theme it is.
`run.py --list` names them. The last line is 'N passed, N failed', the exit status says the same."""
import concurrent.futures
import importlib
import os
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import image   # noqa: E402
import tools   # noqa: E402
from case import CASES  # noqa: E402

SIDE_BY_SIDE = 2
_print_lock = threading.Lock()


def _load():
	for name in sorted(os.listdir(f"{HERE}/cases")):
		if name.endswith(".py"):
			importlib.import_module(f"cases.{name[:-3]}")


def _run(case):
	"""None when it passed, else what went wrong."""
	start = time.monotonic()
	try:
		case.function()
		problem = None
	except AssertionError as failed:
		where = traceback.extract_tb(failed.__traceback__)[-1]
		problem = f"{os.path.relpath(where.filename)}:{where.lineno}: {failed or where.line}"
	except Exception as failed:  # a machine's death, a tool's refusal, a slip in the test: all fail the one test
		problem = f"{type(failed).__name__}: {failed}"
		if not isinstance(failed, (RuntimeError,)) and type(failed).__name__ != "MachineError":
			problem += "\n" + traceback.format_exc()
	with _print_lock:
		took = time.monotonic() - start
		if problem is None:
			print(f"ok    {case.name:28} {took:4.0f} s   {case.promise}", flush=True)
		else:
			print(f"FAIL  {case.name:28} {took:4.0f} s   {case.promise}\n{problem}\n"
				f"      repeat it with: make test T={case.name}", flush=True)
	return problem


def main():
	_load()
	wanted = sys.argv[1:]
	if wanted == ["--list"]:
		for case in CASES:
			print(f"{case.name:28} {case.theme:10} {case.promise}")
		return 0
	chosen = [case for case in CASES if not wanted or case.name in wanted or case.theme in wanted]
	if not chosen:
		print(f"no test or theme is named {' '.join(wanted)}; python3 tests/machine/run.py --list names them",
			file=sys.stderr)
		return 2
	print(f"{len(chosen)} machine tests", flush=True)
	image.debian_disk(f"{image.places.IMAGES}/debian.img")
	tools.tools()
	with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
		# The long ones first, so that the end is not one long one alone.
		problems = list(pool.map(_run, sorted(chosen, key=lambda case: -case.cost)))
	failed = sum(problem is not None for problem in problems)
	print(f"{len(problems) - failed} passed, {failed} failed", flush=True)
	return 1 if failed else 0


if __name__ == "__main__":
	try:
		sys.exit(main())
	except RuntimeError as problem:
		print(f"error: {problem}", file=sys.stderr)
		sys.exit(1)
