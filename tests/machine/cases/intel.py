# SPDX-License-Identifier: Apache-2.0
"""The hypervisor on Intel's virtualisation, in Bochs: programs of ours beneath it, and Linux with a disk on ATA."""
import concurrent.futures
import re

import bochs
import checks
import differences
import guests
import image
import places
import quickdisk
import setups
import stock
from case import case
from cases.cpus import STATES

# Those that end on the bare machine; docs/conformance.md says what the others run into.
THEMES = "cpuid,debug,exceptions,strings,clock,paging,fpu,halt,system,code,interrupts,startup,tasks"
READ_BYTES = 12 << 20
CPUS = {bochs.HASWELL: 1, bochs.SANDY_BRIDGE: 2}


def _conform(model, beneath):
	text = guests.run_on_intel("conform", f"intel-conform-{model}", seconds=150, beneath=beneath, memory=512, model=model,
		cpus=CPUS[model], ips=bochs.TALKATIVE_IPS, options={"themes": THEMES, "seed": 7, "disk": 0})
	return differences.facts(text)


@case("a guest beneath sees one Intel processor, and two that have less of nested paging, as it sees them bare",
	cost=9)
def intel_conform():
	runs = [(model, beneath) for model in CPUS for beneath in (False, True)]
	with concurrent.futures.ThreadPoolExecutor(2) as pool:
		facts = dict(zip(runs, pool.map(lambda run: _conform(*run), runs)))
	used, wrong = set(), []
	for model in CPUS:
		assert len(facts[model, False]) > 3000, f"{model}: only {len(facts[model, False])} lines"
		wrong += differences.compare(model, facts[model, False], facts[model, True], differences.ON_INTEL, used)
	assert not wrong, f"{len(wrong)} lines differ:\n" + "\n".join(wrong[:40])
	idle = [row.key for row in differences.ON_INTEL if row not in used]
	assert not idle, f"differences that are none any more: {idle}"


@case("on an Intel processor without accessed bits and large pages in nested tables the hypervisor's memory is out of reach", cost=3)
def intel_isolation():
	facts = guests.facts(guests.run_on_intel("isolation", "intel-isolation", seconds=60, beneath=True, memory=512,
		model=bochs.SANDY_BRIDGE, options={"disk": 0}))
	kept = int(facts["kept"].split()[0])
	assert kept > 0 and facts["cpu 0 hidden"] == f"{kept * 256} pages", facts


@case("Bochs does with interrupts, INIT and SIPI what the documentation says, in every state of VT-x", cost=3)
def intel_rules():
	facts = guests.facts(guests.run_on_intel("vmx", "intel-rules", beneath=False, memory=512, cpus=2, ips=bochs.TALKATIVE_IPS))
	with open(f"{places.TREE}/docs/bochs.md", encoding="utf-8") as page:
		rows = [line for line in page if re.match(r"\| .+, ", line)]
	wrong = [f"{trial} = {end}" for trial, end in facts.items() if not any(f"| {trial} | {end} |" in row for row in rows)]
	assert not wrong, "not what docs/bochs.md says:\n" + "\n".join(wrong)
	assert len(facts) == len(rows), f"{len(rows)} rows for {len(facts)} trials"


@case("an Intel CPU that gets INIT at random moments is started again and is beneath", cost=3)
def intel_cpus():
	facts = guests.facts(guests.run_on_intel("cpus", "intel-cpus", beneath=True, memory=512, cpus=2, ips=bochs.TALKATIVE_IPS,
		options={"seconds": 8}))
	few = [state for state in STATES if int(facts[state]) < 3]
	assert not few, f"too few rounds: {facts}"
	assert facts["line"] == "does nothing", facts


def _refused(model, words):
	with guests.booted_on_intel("hello", f"intel-{model}", beneath=True, memory=512, model=model) as machine:
		machine.wait(r"start: refused: [^\n]*" + words, bochs.FIRMWARE_SECONDS)


@case("an Intel processor without unrestricted guests, or without nested paging, is refused in words", cost=3)
def intel_refused():
	_refused(bochs.LYNNFIELD, "unrestricted guest")
	_refused(bochs.PENRYN, "nested paging")


@case("Linux beneath on an Intel processor: its ATA partition is unlocked, written and read, and judged by stock tools",
	cost=9)
def intel_linux():
	data = setups.data_disk("intel-linux-data", bochs.DATA_MIB, 512)
	options, files = quickdisk.linux(f"{image.CONSOLE} rdinit=/init pci=nocrs")
	with guests.booted_on_intel("linux", "intel-linux", beneath=True, data=data, options=options,
			files=files) as machine:
		setups.at_shell(machine, 200)
		machine.run("until [ -b /dev/sdb1 ]; do sleep 1; done", 60)
		machine.run(f"yes {checks.MARKER}intel | dd of=/dev/sdb1 bs=64k seek=128 count=16 iflag=fullblock conv=fsync")
		machine.run("echo 3 >/proc/sys/vm/drop_caches")
		seen = machine.run(f"head -c {READ_BYTES} /dev/sdb1 | sha256sum", 60).split()[0]
		setups.power_off(machine)
	volume = stock.Volume(data, "data", setups.PASSPHRASE)
	assert volume.sha256(READ_BYTES) == seen, "stock tools decrypt something else than the guest reads"
	assert volume.read(8 << 20, 65536).startswith(checks.MARKER.encode()), "the marker is not where it was written"
	assert stock.holds(data, checks.MARKER.encode()) is None, "the marker is on the medium in clear"
