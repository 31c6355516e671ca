# SPDX-License-Identifier: Apache-2.0
"""make bench: every figure the project promises, measured in one go and held against its target.

bench.py [--rounds N] [--only PLACE]. For each kind of controller three machines (bare, beneath with the disk unprotected, encrypted) take turns job by job,
one running while the others are stopped, so that what disturbs this host disturbs them alike.
"""
import argparse
import contextlib
import os
import sys

import measure
import native
from measure import JOBS, VARIANTS, Sample, places, setups
import report
import image
import qemu
import size

TRIES = 20


def say(text):
	print(f"==> {text}", flush=True)


def exits_of_jobs(machine, place, jobs, rounds):
	return {f"{place.name}.exits_per_io.{job.key}": Sample([measure.exits_per_io(machine, place, job) for _ in range(rounds)])
		for job in jobs}


def slow_disk(place, rounds):
	"""Where the disk decides on IOPS, only exits tell something; one by one the guest's ticks are among them."""
	say(f"{place.what}: exits per I/O")
	with measure.machine(place, "encrypted") as machine:
		return exits_of_jobs(machine, place, [job for job in JOBS if job.depth > 1], rounds)


def disks(place, rounds):
	"""Everything that is measured on running machines with a disk under test."""
	figures = {}
	with contextlib.ExitStack() as stack:
		running = {}
		for name in VARIANTS:
			say(f"{place.what}: booting the machine `{name}`")
			running[name] = stack.enter_context(measure.machine(place, name))
			running[name].pause()
		encrypted = running["encrypted"]
		encrypted.resume()
		say(f"{place.what}: exits, idle and per I/O")
		if place is measure.AHCI:
			figures["idle_exits_per_second_per_cpu"] = Sample([measure.idle_exits(encrypted) for _ in range(rounds)])
		figures.update(exits_of_jobs(encrypted, place, JOBS, rounds))
		encrypted.pause()
		figures.update(fio_rounds(running, place, report.fio_rounds(rounds)))
	return figures


def fio_without_loss(machine, place, job):
	"""Runs in which the emulator's shadow doorbells have lost a ring do not count; some jobs lose one in most runs."""
	for _ in range(TRIES):
		try:
			return measure.fio(machine, place, job)
		except measure.LostRing:
			say(f"{place.what}: {job.key} on `{machine.name}`: the emulator has lost a ring, once more")
	raise RuntimeError(f"{machine.name} has lost rings in {TRIES} runs of {job.key}")


def fio_rounds(running, place, rounds):
	seen = {(job.key, name): [] for job in JOBS for name in VARIANTS}
	for turn in range(rounds):
		say(f"{place.what}: fio, round {turn + 1} of {rounds}")
		for job in JOBS:
			# Each round begins with another variant: none is always the first after a pause.
			for name in VARIANTS[turn % 3:] + VARIANTS[:turn % 3]:
				running[name].resume()
				seen[job.key, name].append(fio_without_loss(running[name], place, job))
				running[name].pause()
	figures = {}
	for job in JOBS:
		bare = seen[job.key, "bare"]
		for name in VARIANTS:
			taken = seen[job.key, name]
			key = f"{place.name}.{job.key}.{name}"
			figures[f"{key}.iops"] = Sample([iops for iops, _ in taken])
			figures[f"{key}.cpu_us_per_io"] = Sample([cpu for _, cpu in taken])
			figures[f"{key}.iops_ratio"] = Sample([mine[0] / its[0] for mine, its in zip(taken, bare)])
			figures[f"{key}.cpu_ratio"] = Sample([mine[1] / its[1] for mine, its in zip(taken, bare)])
	return figures


def boots(rounds):
	say("Debian disks: one bare, one encrypted")
	bare_disk = setups.debian("bench-boot-bare", beneath=False)
	beneath_disk = setups.debian("bench-boot-beneath")
	bare, beneath = [], []
	for turn in range(rounds):
		say(f"boot to login, round {turn + 1} of {rounds}")
		bare.append(measure.boot("bench-boot-bare", bare_disk, False))
		beneath.append(measure.boot("bench-boot-beneath", beneath_disk, True))
	os.unlink(bare_disk)
	os.unlink(beneath_disk)
	return {
		"boot.bare.cpu_seconds": Sample(bare),
		"boot.beneath.cpu_seconds": Sample(beneath),
		"boot.ratio": Sample([mine / its for mine, its in zip(beneath, bare)]),
	}


def timer(rounds):
	say("exits per timer interrupt, with the default policy")
	busy, idle = zip(*measure.exits_per_timer_interrupt(rounds))
	return {"exits_per_timer_interrupt.busy": Sample(busy), "exits_per_timer_interrupt.idle": Sample(idle)}


def ports(rounds):
	say("ATA, one CPU: exits per command")
	return measure.exits_on_ports(rounds)


def sizes():
	return {f"lines.{folder}": Sample([code]) for folder, (code, _) in size.by_folder().items()}


def main():
	parser = argparse.ArgumentParser(description="Measures what the project promises.")
	parser.add_argument("--rounds", type=int, default=3, help="how often each figure is taken (default 3)")
	parser.add_argument("--only", choices=[place.name for place in measure.PLACES] + ["ata"],
		help="what is measured there only; nothing is written to docs/benchmarks.md")
	options = parser.parse_args()
	rounds, figures = options.rounds, {}
	for place in measure.PLACES:
		if options.only in (None, place.name):
			figures.update((slow_disk if place.latency_ms else disks)(place, rounds))
	if options.only in (None, "ata"):
		figures.update(ports(rounds))
	figures.update(sizes())
	if options.only:
		return report.show(figures)
	image.debian_disk(f"{places.IMAGES}/debian.img")
	say("the NVMe mediator against a model controller, without a machine")
	figures.update(native.measured(rounds))
	figures.update(timer(rounds))
	figures.update(boots(rounds))
	return report.write(figures, rounds)


if __name__ == "__main__":
	try:
		sys.exit(main())
	except (RuntimeError, qemu.MachineError) as problem:
		print(f"error: {problem}", file=sys.stderr)
		sys.exit(1)
