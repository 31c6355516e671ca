# SPDX-License-Identifier: Apache-2.0
"""The NVMe mediator on this processor, without a machine around it: fio drives it through the engine of bench/native/
against a model controller in RAM. What 4 KiB cost above the bare model, and what a second thread on a second queue
brings. `python3 native.py` (make bench-native) does this part alone."""
import argparse
import json
import os
import re
import subprocess
import sys

from measure import Sample, places

ENGINE = f"{places.BUILD}/native/engine.so"
MODES = ("bare", "cipher", "encrypted")
JOBS = [(f"{pattern}_4k_qd{depth}", pattern, depth) for depth in (1, 32) for pattern in ("randread", "randwrite")]
LANE_MIB = 16

TARGETS = {f"native.{key}.scaling": (f"IOPS of two threads on two queues ÷ one on one, native, `{key}`", 1.85, True, "")
	for key, _, _ in JOBS}


class Run:
	"""What the threads of one section of fio's did: CPU time and instructions for each I/O, turns.h's rounds."""

	def __init__(self, jobs, instructions, turns):
		sides = [job["write" if job["write"]["total_ios"] else "read"] for job in jobs]
		ios = sum(side["total_ios"] for side in sides)
		self.cpu_ns = sum((job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] for job in jobs) * 1e6 / ios
		self.instructions = sum(instructions) / ios
		self.turns = turns


def _section(name, mode, pattern, depth, cpus, *others):
	return [f"[{name}]", f"mode={mode}", f"rw={pattern}", f"iodepth={depth}", f"iodepth_batch_complete_max={depth}",
		f"numjobs={len(cpus)}", f"cpus_allowed={','.join(map(str, cpus))}", *others]


def _fio(*sections):
	"""Name of a section → what it did. Sections with `stonewall` begin when all before have ended."""
	lines = ["[global]", f"ioengine=external:{ENGINE}", "lanes=2", "thread", "bs=4k", f"size={LANE_MIB}m",
		"randrepeat=0", "gtod_reduce=1", "cpus_allowed_policy=split", *(line for section in sections for line in section)]
	done = subprocess.run(["fio", "--output-format=json", "-"], input="\n".join(lines), capture_output=True, text=True,
		check=False, timeout=300)
	told = re.findall(r"^(\S+): \d+ commands, \d+ exits, (\d+) failed, (\d+) instructions$", done.stderr, re.MULTILINE)
	if done.returncode or not told or any(failed != "0" for _, failed, _ in told):
		raise RuntimeError(f"native: fio failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
	jobs = json.loads(done.stdout[done.stdout.index("{"):])["jobs"]
	return {name: Run([job for job in jobs if job["jobname"] == name],
		[int(count) for told_name, _, count in told if told_name == name],
		re.findall(rf"^{name} turns: (.*)$", done.stderr, re.MULTILINE))
		for name in (section[0].strip("[]") for section in sections)}


def verify(cpus):
	"""What is measured works: fio reads back what it has written, on both lanes."""
	for mode in MODES:
		_fio(_section("verify", mode, "randwrite", 32, cpus, "verify=crc32c", "verify_fatal=1",
			"verify_state_save=0"))


def costs(cpus, rounds):
	"""Threads of the three modes work by turns on one processor; each round on another one."""
	figures = {}
	for key, pattern, depth in JOBS:
		runs = _fio(*(_section(f"{mode}-{turn}", mode, pattern, depth, [cpus[turn % len(cpus)]], "baton=1", "time_based",
			"runtime=1500ms", "norandommap", *(["stonewall"] if mode == MODES[0] else []))
			for turn in range(rounds) for mode in MODES))
		def sample(of):
			return Sample([of({mode: runs[f"{mode}-{turn}"] for mode in MODES}) for turn in range(rounds)])
		for mode in MODES:
			figures[f"native.{key}.{mode}.cpu_ns_per_io"] = sample(lambda run, mode=mode: run[mode].cpu_ns)
			figures[f"native.{key}.{mode}.instructions_per_io"] = sample(lambda run, mode=mode: run[mode].instructions)
		for name, more, less in (("above_bare_ns", "encrypted", "bare"), ("cipher_ns", "cipher", "bare"),
				("mediator_ns", "encrypted", "cipher")):
			figures[f"native.{key}.{name}"] = sample(
				lambda run, more=more, less=less: run[more].cpu_ns - run[less].cpu_ns)
	return figures


def _ratios(threads):
	"""For each round that is whole. There are two turns for both to one of each alone, so the sums are over equal times:
	of two threads, and of one on either processor."""
	rounds = {}
	for turns in threads:
		for number, alone, both in (map(int, turn.split("/")) for turn in turns.split()):
			seen = rounds.setdefault(number, [0, 0])
			seen[0] += alone
			seen[1] += both
	return [rounds[number][1] / rounds[number][0] for number in sorted(rounds)[1:-1]]


def scaling(cpus, seconds):
	figures = {}
	for key, pattern, depth in JOBS:
		for mode, name in (("bare", "bare_scaling"), ("encrypted", "scaling")):
			run = _fio(_section("turns", mode, pattern, depth, cpus, "turns=1", "time_based", f"runtime={seconds}s",
				"norandommap"))
			figures[f"native.{key}.{name}"] = Sample(_ratios(run["turns"].turns))
	return figures


def measured(rounds):
	cpus = sorted(os.sched_getaffinity(0))[:2]
	if len(cpus) < 2:
		raise RuntimeError("native: wants two processors")
	load = os.getloadavg()[0]
	verify(cpus)
	return {**costs(cpus, 2 * rounds), **scaling(cpus, 2 * rounds), "native.load": Sample([load])}


def _spread(sample, digits):
	return f"{sample.median:.{digits}f} ({sample.least:.{digits}f}–{sample.most:.{digits}f})"


def _instructions(figures, key):
	"""By mode; the processor's counters may not be there, as in most virtual machines."""
	counts = [figures[f"native.{key}.{mode}.instructions_per_io"].median for mode in MODES]
	return " / ".join(f"{count:.0f}" for count in counts) if all(counts) else "no counters here"


def section(figures):
	"""The part of docs/benchmarks.md that is about all this."""
	lines = ["| job | bare model | encrypted | above bare | AES-XTS of it | the mediator of it | instructions: bare / AES-XTS / "
		"encrypted |", "|" + "---|" * 7]
	for key, _, _ in JOBS:
		cells = [_spread(figures[f"native.{key}.{what}"], 0) for what in
			("bare.cpu_ns_per_io", "encrypted.cpu_ns_per_io", "above_bare_ns", "cipher_ns", "mediator_ns")]
		lines.append("| " + " | ".join([f"`{key}`", *cells, _instructions(figures, key)]) + " |")
	lines += ["", "| IOPS, two threads ÷ one | encrypted | bare model |", "|" + "---|" * 3]
	for key, _, _ in JOBS:
		lines.append(f"| `{key}` | " + " | ".join(_spread(figures[f"native.{key}.{what}"], 2) for what in
			("scaling", "bare_scaling")) + " |")
	return "\n".join([f"""CPU nanoseconds for each 4 KiB, then IOPS of two threads on two queues and processors against one: medians
(least–most), by `make bench-native`, load {figures["native.load"].median:.1f} before. fio submits to the mediator as a guest does (doorbells in
memory, as Linux has them; interrupts; phase bits). The mediator is built as for the hypervisor, the controller is a model
in RAM; there are no machines and no world switches. *AES-XTS*: the same guest on the bare model transforms its data
itself. What is compared takes turns of 5 ms; a round is 1.5 s of CPU costs, or 0.5 s of IOPS.
""", *lines])


def main():
	parser = argparse.ArgumentParser(description="The NVMe mediator against a model controller, on this processor.")
	parser.add_argument("--rounds", type=int, default=3, help="more of them, steadier figures (default 3)")
	figures = measured(parser.parse_args().rounds)
	print(section(figures))
	missed = 0
	for key, (what, limit, _, _) in TARGETS.items():
		is_met = figures[key].median >= limit
		missed += not is_met
		print(f"{what}: {_spread(figures[key], 2)}, at least {limit}: {'met' if is_met else 'NOT MET'}")
	return 1 if missed else 0


if __name__ == "__main__":
	try:
		sys.exit(main())
	except RuntimeError as problem:
		print(f"error: {problem}", file=sys.stderr)
		sys.exit(1)
