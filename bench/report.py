# SPDX-License-Identifier: Apache-2.0
"""The figures as a table on the terminal, as docs/benchmarks.md and as build/bench.json."""
import datetime
import json
import os
import platform
import subprocess

import native
import size
from measure import AHCI, JOBS, NVME, NVME_4, PLACES, VARIANTS, places

DOCUMENT = f"{places.TREE}/docs/benchmarks.md"
RECORD = f"{places.BUILD}/bench.json"

ABOUT_1500 = 1550

# What must be reached: key → (what it is, the limit, whether more is better, BitVisor's figure on the same emulator).
TARGETS = {
	"ahci.exits_per_io.randread_4k_qd1": ("AHCI: exits per 4 KiB random read, QD1", 6, False, "10.6"),
	"ahci.exits_per_io.randread_4k_qd32": ("AHCI: exits per 4 KiB random read, QD32", 4, False, "8.6"),
	"nvme.exits_per_io.randread_4k_qd1": ("NVMe: exits per 4 KiB random read, QD1", 3.3, False, "5.5"),
	"nvme.exits_per_io.randread_4k_qd32": ("NVMe: exits per 4 KiB random read, QD32", 1.7, False, "4.0"),
	"nvme.exits_per_io.read_128k_qd8": ("NVMe: exits per 128 KiB read, QD8", 2, False, "5.9"),
	"nvme-slow.exits_per_io.randread_4k_qd32": ("NVMe, 3 ms a command: exits per 4 KiB random read, QD32", 0.6, False, ""),
	"nvme-slow.exits_per_io.read_128k_qd8": ("NVMe, 3 ms a command: exits per 128 KiB read, QD8", 2, False, ""),
	"idle_exits_per_second_per_cpu": ("idle exits per second and CPU, `icr=fast`", 2, False, "about 50"),
	"exits_per_timer_interrupt.busy": ("exits per timer interrupt of a busy guest, `icr=keep`", 2, False, ""),
	"exits_per_timer_interrupt.idle": ("exits per timer interrupt of an idle guest, `icr=keep`", 2, False, ""),
	"boot.ratio": ("CPU seconds from power-on to login, beneath ÷ bare", 1.5, False, ""),
	"ata.exits.dma_read": ("ATA: exits per command that reads 4 KiB by DMA", 8, False, ""),
	"ata.exits.dma_write": ("ATA: exits per command that writes 4 KiB by DMA", 8, False, ""),
	"ata.exits.pio_read": ("ATA: exits per sector read by PIO, 256 a command", 1.5, False, ""),
	"lines.hv/svm": ("lines of code in `hv/svm/`", ABOUT_1500, False, ""),
	"lines.hv/vmx": ("lines of code in `hv/vmx/`", ABOUT_1500, False, ""),
	**native.TARGETS,
}

# IOPS encrypted ÷ bare, each at least: by job for AHCI, for NVMe, and what BitVisor reached.
RATIOS = {
	"randread_4k_qd1": ("4 KiB random read, QD1", (0.25, "0.17"), (0.38, "0.17")),
	"randwrite_4k_qd1": ("4 KiB random write, QD1", (0.18, "0.11"), (0.36, "0.16")),
	"randread_4k_qd32": ("4 KiB random read, QD32", (0.32, "0.16"), (0.33, "0.13")),
	"randwrite_4k_qd32": ("4 KiB random write, QD32", (0.28, "0.14"), (0.15, "0.06")),
	"read_128k_qd8": ("128 KiB read, QD8", (0.14, "0.07"), (0.10, "0.04")),
	"write_128k_qd8": ("128 KiB write, QD8", (0.10, "0.05"), (0.08, "0.03")),
}

for _job, (_what, *_limits) in RATIOS.items():
	for _place, _name, (_limit, _peer) in zip((AHCI, NVME, NVME_4), ("AHCI", "NVMe", "NVMe, four CPUs"), _limits + _limits[-1:]):
		TARGETS[f"{_place.name}.{_job}.encrypted.iops_ratio"] = (f"{_name}: IOPS encrypted ÷ bare, {_what}", _limit, True, _peer)


def fio_rounds(rounds):
	"""More than of anything else: fio's runs are short, and lie far apart."""
	return 2 * rounds + 1


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
		if key not in figures:
			continue
		wanted = f"{'at least' if more_is_better else 'at most'} {limit}"
		rows.append((what, _spread(figures[key]), wanted, "met" if met(key, figures[key]) else "**not met**", peer))
	return _table(("figure", "median (least–most)", "target", "", "BitVisor"), rows)


def _fio(figures, place):
	rows = []
	for job in JOBS:
		row = [f"`{job.key}`"]
		for name in VARIANTS:
			sample = {what: figures[f"{place.name}.{job.key}.{name}.{what}"] for what in
				("iops", "cpu_us_per_io", "iops_ratio", "cpu_ratio")}
			cell = f"{sample['iops'].median:.0f} / {sample['cpu_us_per_io'].median:.0f}"
			if name != "bare":
				cell += f" ({sample['iops_ratio'].median:.2f} / {sample['cpu_ratio'].median:.2f})"
			row.append(cell)
		row.append(_spread(figures[f"{place.name}.exits_per_io.{job.key}"]))
		rows.append(row)
	return _table(("job", "bare", "beneath, disk unprotected", "encrypted", "exits per I/O"), rows)


def _exits(figures, place):
	keys = [(job, f"{place.name}.exits_per_io.{job.key}") for job in JOBS]
	rows = [(f"`{job.key}`", _spread(figures[key])) for job, key in keys if key in figures]
	return _table(("job", "exits per I/O, encrypted"), rows)


def _all_fio(figures):
	return "\n\n".join(f"### {place.what}\n\n{(_exits if place.latency_ms else _fio)(figures, place)}" for place in PLACES
		if f"{place.name}.exits_per_io.{JOBS[-1].key}" in figures)


def _sizes():
	rows = [(f"`{folder}/`", str(code), str(lines)) for folder, (code, lines) in size.by_folder().items()]
	return _table(("folder", "lines of code", "with blank lines and comments"), rows)


def show(figures):
	"""What there is, on the terminal; 0 when every target in it is met."""
	print("\n" + _targets(figures) + "\n\n" + _all_fio(figures) + "\n\n" + _sizes() + "\n")
	return 0 if all(met(key, figures[key]) for key in TARGETS if key in figures) else 1


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

Measured {date} at {commit or "an unknown commit"} by `make bench` (medians of {rounds} interleaved rounds, fio's of {fio_rounds(rounds)}) on {machine["cpus"]} × {machine["cpu"]},
Linux {machine["kernel"]}, {machine["emulator"]}, load {machine["load"]} at the end.

The machines are emulated without hardware virtualisation: one world switch costs tens of microseconds there, some
hundred times what a processor takes, and AES runs as emulated instructions. Exits per I/O carry over to hardware; IOPS
and CPU time do not, they only compare like with like. BitVisor's figures were taken on the same emulator.

An emulated disk answers within some 50 µs, while the guest's CPU needs 300 µs for an I/O: however deep the queue, hardly
ever is more than one command with the disk. On a real machine it is the other way round, 3 µs of CPU and 80 µs of disk. So
NVMe is measured twice: as it is, and on a disk that is made to take 3 ms for each command. What the guest's Doorbell
Buffer is to reach at QD32 (0.6 exits) is asked of the slow disk; of the other one, what was to be reached without it (1.7).

## What must be reached

{_targets(figures)}

Timer interrupts: while the command register is watched, each write to the local APIC's page is an exit. Linux writes it at
the end of an interrupt and for the next deadline: two for each tick. When it goes idle it first arms the next tick and
then, in the same interrupt, a later deadline, because there is nothing to do: three. With `icr=fast` none of them is one.

## fio

IOPS / host CPU microseconds per I/O, in parentheses as ratios to bare. `--direct=1 --ioengine=libaio --norandommap
--runtime=2 --size=240m` on a raw partition of a disk filled with random bytes, `icr=fast`; beneath with the disk
unprotected another disk on another controller is protected. With four CPUs each has a job of its own.

{_all_fio(figures)}

## The NVMe mediator, native

{native.section(figures)}

## Boot

CPU seconds of the emulator from power-on to Debian's login prompt, two CPUs, default policy, a header whose key
derivation costs nothing: bare {_spread(figures["boot.bare.cpu_seconds"])}, encrypted beneath {_spread(figures["boot.beneath.cpu_seconds"])}.

## Size

{_sizes()}
"""
	os.makedirs(places.BUILD, exist_ok=True)
	with open(DOCUMENT, "w", encoding="utf-8") as document:
		document.write(text)
	with open(RECORD, "w", encoding="utf-8") as record:
		json.dump({"date": date, "commit": commit, "rounds": rounds, "machine": machine,
			"targets_met": {key: met(key, figures[key]) for key in TARGETS},
			"figures": {key: sample.as_json() for key, sample in sorted(figures.items())}}, record, indent="\t")
		record.write("\n")
	show(figures)
	missed = [key for key in TARGETS if not met(key, figures[key])]
	print(f"{len(TARGETS) - len(missed)} of {len(TARGETS)} targets met; written to "
		f"{os.path.relpath(DOCUMENT)} and {os.path.relpath(RECORD)}")
	return 1 if missed else 0
