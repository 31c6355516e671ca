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
