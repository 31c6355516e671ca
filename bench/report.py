# SPDX-License-Identifier: Apache-2.0
"""The figures as a table on the terminal, as docs/benchmarks.md and as build/bench.json."""
import datetime
import json
import os
import platform
import subprocess

from measure import JOBS, places

DOCUMENT = f"{places.TREE}/docs/benchmarks.md"
RECORD = f"{places.BUILD}/bench.json"

# What must be reached: key → (what it is, the limit, whether more is better, BitVisor's figure on the same emulator).
TARGETS = {
	"exits_per_io.randread_4k_qd1": ("exits per 4 KiB random read, QD1", 6, False, "10.6"),
	"exits_per_io.randread_4k_qd32": ("exits per 4 KiB random read, QD32", 4, False, "8.6"),
	"idle_exits_per_second_per_cpu": ("idle exits per second and CPU, `icr=fast`", 2, False, "about 50"),
	"exits_per_timer_interrupt.busy": ("exits per timer interrupt of a busy guest, `icr=keep`", 2, False, ""),
	"exits_per_timer_interrupt.idle": ("exits per timer interrupt of an idle guest, `icr=keep`", 2, False, ""),
	"fio.randread_4k_qd1.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 4 KiB random read, QD1", 0.25, True, "0.17"),
	"fio.randwrite_4k_qd1.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 4 KiB random write, QD1", 0.18, True, "0.11"),
	"fio.randread_4k_qd32.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 4 KiB random read, QD32", 0.32, True, "0.16"),
	"fio.randwrite_4k_qd32.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 4 KiB random write, QD32", 0.28, True, "0.14"),
	"fio.read_128k_qd8.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 128 KiB read, QD8", 0.14, True, "0.07"),
	"fio.write_128k_qd8.encrypted.iops_ratio": ("IOPS encrypted ÷ bare, 128 KiB write, QD8", 0.10, True, "0.05"),
	"boot.ratio": ("CPU seconds from power-on to login, beneath ÷ bare", 1.5, False, ""),
}


def met(key, sample):
	_, limit, more_is_better, _ = TARGETS[key]
	return sample.median >= limit if more_is_better else sample.median <= limit


def _number(value):
	return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _spread(sample):
	return f"{_number(sample.median)} ({_number(sample.least)}–{_number(sample.most)})"


def _table(header, rows):
	lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
	return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _targets(figures):
	rows = []
	for key, (what, limit, more_is_better, peer) in TARGETS.items():
		wanted = f"{'at least' if more_is_better else 'at most'} {limit}"
		rows.append((what, _spread(figures[key]), wanted, "met" if met(key, figures[key]) else "**not met**", peer))
	return _table(("figure", "median (least–most)", "target", "", "BitVisor"), rows)


def _fio(figures):
	rows = []
	for job in JOBS:
		row = [f"`{job.key}`"]
		for name in ("bare", "unprotected", "encrypted"):
			sample = {what: figures[f"fio.{job.key}.{name}.{what}"] for what in
				("iops", "cpu_us_per_io", "iops_ratio", "cpu_ratio")}
			cell = f"{sample['iops'].median:.0f} / {sample['cpu_us_per_io'].median:.0f}"
			if name != "bare":
				cell += f" ({sample['iops_ratio'].median:.2f} / {sample['cpu_ratio'].median:.2f})"
			row.append(cell)
		row.append(_spread(figures[f"exits_per_io.{job.key}"]))
		rows.append(row)
	return _table(("job", "bare", "beneath, disk unprotected", "encrypted", "exits per I/O"), rows)


def _machine():
	with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
		model = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
	emulator = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
	load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
	return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": load,
		"emulator": emulator.splitlines()[0]}


def write(figures, rounds):
	"""Prints and writes everything; 0 when every target is met."""
	date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
	commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=places.TREE, capture_output=True,
		text=True, check=False).stdout.strip()
	machine = _machine()
	text = f"""# Benchmarks

Measured {date} at {commit or "an unknown commit"} by `make bench` (medians of {rounds} interleaved rounds) on {machine["cpus"]} × {machine["cpu"]},
Linux {machine["kernel"]}, {machine["emulator"]}, load {machine["load"]} at the end.

The machines are emulated without hardware virtualisation: one world switch costs tens of microseconds there, some
hundred times what a processor takes, and AES runs as emulated instructions. Exits per I/O carry over to hardware; IOPS
and CPU time do not, they only compare like with like. BitVisor's figures were taken on the same emulator.

## What must be reached

{_targets(figures)}

## fio

IOPS / host CPU microseconds per I/O, in parentheses as ratios to bare. `--direct=1 --ioengine=libaio --norandommap
--runtime=2 --size=240m` on a raw partition of a disk filled with random bytes, one CPU, `icr=fast`; beneath with the disk
unprotected another disk on another HBA is protected.

{_fio(figures)}

## Boot

CPU seconds of the emulator from power-on to Debian's login prompt, two CPUs, default policy, a header whose key
derivation costs nothing: bare {_spread(figures["boot.bare.cpu_seconds"])}, encrypted beneath {_spread(figures["boot.beneath.cpu_seconds"])}.
"""
	os.makedirs(places.BUILD, exist_ok=True)
	with open(DOCUMENT, "w", encoding="utf-8") as document:
		document.write(text)
	with open(RECORD, "w", encoding="utf-8") as record:
		json.dump({"date": date, "commit": commit, "rounds": rounds, "machine": machine,
			"targets_met": {key: met(key, figures[key]) for key in TARGETS},
			"figures": {key: sample.as_json() for key, sample in sorted(figures.items())}}, record, indent="\t")
		record.write("\n")
	print("\n" + _targets(figures) + "\n\n" + _fio(figures) + "\n")
	missed = [key for key in TARGETS if not met(key, figures[key])]
	print(f"{len(TARGETS) - len(missed)} of {len(TARGETS)} targets met; written to "
		f"{os.path.relpath(DOCUMENT)} and {os.path.relpath(RECORD)}")
	return 1 if missed else 0
