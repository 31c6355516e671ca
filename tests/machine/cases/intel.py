# SPDX-License-Identifier: Apache-2.0
"""The hypervisor on Intel's virtualisation, in Bochs. It mediates no disk there: programs of ours run beneath it."""
import bochs
import guests
from case import case

# Those that end on the bare machine: of its MSRs, Bochs takes most for harmless, and stops at some.
THEMES = "cpuid,debug,exceptions,strings,clock,paging,fpu,halt,system,code,interrupts,tasks"


def _conform(case_name, beneath):
	return guests.facts(guests.run_on_intel("conform", case_name, seconds=150, beneath=beneath, memory=512,
		options={"themes": THEMES, "seed": 7, "disk": 0}))


@case("an Intel processor's exceptions, steps, paging, halts, interrupts and task switches, beneath as on the bare machine", cost=7)
def intel_conform():
	bare, beneath = (_conform("intel-conform", way) for way in (False, True))
	different = {fact: (bare.get(fact), beneath.get(fact)) for fact in bare | beneath if bare.get(fact) != beneath.get(fact)}
	assert not different, "\n".join(f"{fact}: {two[0]}, beneath {two[1]}" for fact, two in different.items())
	assert len(bare) > 100, f"{len(bare)} facts"


@case("on an Intel processor without accessed bits and large pages in nested tables the hypervisor's memory is out of reach", cost=3)
def intel_isolation():
	facts = guests.facts(guests.run_on_intel("isolation", "intel-isolation", seconds=60, beneath=True, memory=512,
		model=bochs.SANDY_BRIDGE, options={"disk": 0}))
	kept = int(facts["kept"].split()[0])
	assert kept > 0 and facts["cpu 0 hidden"] == f"{kept * 256} pages", facts


def _refused(model, words):
	with guests.booted_on_intel("hello", f"intel-{model}", beneath=True, memory=512, model=model) as machine:
		machine.wait(r"start: refused: [^\n]*" + words, bochs.FIRMWARE_SECONDS)


@case("an Intel processor without unrestricted guests, or without nested paging, is refused in words", cost=3)
def intel_refused():
	_refused(bochs.LYNNFIELD, "unrestricted guest")
	_refused(bochs.PENRYN, "nested paging")
