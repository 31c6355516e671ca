# SPDX-License-Identifier: Apache-2.0
"""soak.py MINUTES FUZZER...: every fuzzer its share of the time, and beside them the stress guests over and over with
fresh seeds. `soak.py --guest NAME CPUS SEED` repeats one of the latter. Ends with 'N runs, N failed'."""
import os
import random
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import guests   # noqa: E402
import places   # noqa: E402
from cases import hostile_guest, nvme_queues  # noqa: E402


def _hostile(name, cpus, seed):
	hostile_guest.fuzz(name, cpus, {"seed": seed, "steps": 6000 if cpus == 1 else 2000})


def _cpus(name, cpus, seed):
	guests.run("cpus", name, beneath=True, cpus=cpus, options={"seed": seed, "seconds": 30}, seconds=120)


def _shootdown(name, cpus, seed):
	guests.run("shootdown", name, beneath=True, cpus=cpus, options={"seed": seed, "seconds": 30}, seconds=120)


def _queues(name, cpus, seed):
	nvme_queues.drive(name, cpus, seconds=300, seed=seed, only="random", commands=100000)


# What is run over and over: a name, the numbers of CPUs, and what does one run and raises when it fails.
STRESS = {
	"hostile": ((1, 4), _hostile),
	"queues": ((1, 4), _queues),
	"cpus": ((4,), _cpus),
	"shootdown": ((4,), _shootdown),
}

_lock = threading.Lock()
_runs, _failed = 0, 0


def _report(what, took, problem, repeat):
	global _runs, _failed
	with _lock:
		_runs += 1
		_failed += problem is not None
		print(f"{'ok  ' if problem is None else 'FAIL'}  {what:34} {took:5.0f} s"
			+ ("" if problem is None else f"\n{problem}\n      repeat it with: {repeat}"), flush=True)


def one_guest(kind, cpus, seed):
	start = time.monotonic()
	problem = None
	try:
		STRESS[kind][1](f"soak-{kind}-{cpus}", cpus, seed)
	except Exception as failed:  # whatever ends a run early is told, and the next one runs
		problem = f"{type(failed).__name__}: {failed}"
	_report(f"{kind}, {cpus} CPUs, seed {seed}", time.monotonic() - start, problem,
		f"/usr/bin/python3 tests/machine/soak.py --guest {kind} {cpus} {seed}")
	return problem is None


def _stress(until):
	while time.monotonic() < until:
		for kind, (numbers, _) in STRESS.items():
			for cpus in numbers:
				if time.monotonic() < until:
					one_guest(kind, cpus, random.randrange(1, 1 << 32))


def one_fuzzer(program, seconds):
	name = os.path.basename(program).removeprefix("fuzz_")
	found, crash = f"{places.BUILD}/fuzz/found/{name}", f"{places.BUILD}/fuzz/crash/{name}/"
	for folder in (found, crash):
		os.makedirs(folder, exist_ok=True)
	seed, start = random.randrange(1, 1 << 31), time.monotonic()
	log = f"{places.BUILD}/fuzz/{name}.log"
	with open(log, "wb") as out:
		done = subprocess.run([program, f"-seed={seed}", f"-max_total_time={seconds:.0f}", "-timeout=10", "-rss_limit_mb=2048",
			"-print_final_stats=1", f"-artifact_prefix={crash}", found, f"tests/fuzz/corpus/{name}"],
			stdout=out, stderr=out, check=False)
	with open(log, encoding="latin-1") as text:
		said = text.read()
	problem, repeat = None, ""
	if done.returncode:
		problem = "\n".join(said.splitlines()[-40:])
		unit = re.search(r"Test unit written to (\S+)", said)
		repeat = f"{os.path.relpath(program)} {unit.group(1) if unit else f'-seed={seed}'}"
	units = re.search(r"stat::number_of_executed_units: *(\d+)", said)
	_report(f"fuzz_{name}, {units.group(1) if units else 0} inputs", time.monotonic() - start, problem, repeat)


def main():
	if sys.argv[1] == "--guest":
		return 0 if one_guest(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])) else 1
	minutes, fuzzers = float(sys.argv[1]), sys.argv[2:]
	until = time.monotonic() + 60 * minutes
	beside = threading.Thread(target=_stress, args=(until,))
	beside.start()
	for program in fuzzers:
		one_fuzzer(program, 60 * minutes / len(fuzzers))
	beside.join()
	print(f"{_runs} runs, {_failed} failed", flush=True)
	return 1 if _failed or not _runs else 0


if __name__ == "__main__":
	sys.exit(main())
