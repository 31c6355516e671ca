# SPDX-License-Identifier: Apache-2.0
"""The library of our own guests does what it promises, bare and beneath."""
import guests
from case import case


def _hello(case_name, cpus):
	for beneath in (False, True):
		facts = guests.facts(guests.run("hello", case_name, beneath=beneath, cpus=cpus, options={"seed": 7}))
		assert facts["beneath"] == str(int(beneath)), facts
		assert facts["seed"] == "7" and facts["cpus"] == str(cpus) and facts["started"] == str(cpus - 1), facts
		assert facts["page fault"] == "14 error 0 at 60000008", facts
		assert not beneath or facts["unknown msr"] == "13 error 0", facts
		assert facts["disk"] == "a partition table", facts


@case("a program of ours starts bare and beneath, with its options, all CPUs and the disk")
def guest_hello():
	_hello("guest-hello", 2)


@case("all of physical memory walked on each CPU, and the disk's DMA: the hypervisor's is out of reach", cost=3)
def guest_isolation():
	for beneath in (False, True):
		facts = guests.facts(guests.run("isolation", "guest-isolation", seconds=120, beneath=beneath, cpus=2, memory=256))
		kept = int(facts["kept"].split()[0])
		assert (kept > 0) == beneath, facts
		assert facts["cpu 0 hidden"] == facts["cpu 1 hidden"] == f"{kept * 256} pages", facts
		assert not beneath or facts["transfers"] == "3 places refused", facts
