# SPDX-License-Identifier: Apache-2.0
"""A processor beneath underseal is the processor: the conformance guest, line by line, bare and beneath."""
import concurrent.futures

import differences
import guests
import places
from case import case

CPUS = {"epyc": "EPYC,+svm,+npt", "max": "max"}
COUNTS = (1, 4)
ROWS_AT_MOST = 12


def _run(model, count, beneath):
	text = guests.run("conform", f"conform-{model}-{count}", seconds=120, beneath=beneath, cpus=count, cpu=CPUS[model])
	return differences.facts(text)


@case("a guest beneath sees the processor that it sees bare, but for a list of differences with reasons", cost=9)
def conform():
	runs = [(model, count, beneath) for model in CPUS for count in COUNTS for beneath in (False, True)]
	with concurrent.futures.ThreadPoolExecutor(2) as pool:
		facts = dict(zip(runs, pool.map(lambda run: _run(*run), runs)))
	used, wrong = set(), []
	for model in CPUS:
		for count in COUNTS:
			bare, beneath = facts[model, count, False], facts[model, count, True]
			assert len(bare) > 300, f"{model} {count}: only {len(bare)} lines"
			wrong += differences.compare(f"{model}, {count} CPUs", bare, beneath, differences.DIFFERENCES, used)
	assert not wrong, f"{len(wrong)} lines differ:\n" + "\n".join(wrong[:40])
	idle = [row.key for row in differences.DIFFERENCES if row not in used]
	assert not idle, f"differences that are none any more: {idle}"


@case("the lists of differences are short, and the documentation shows them as they are")
def conform_table():
	with open(f"{places.TREE}/docs/conformance.md", encoding="utf-8") as file:
		page = file.read()
	for rows in (differences.DIFFERENCES, differences.ON_INTEL):
		assert len(rows) <= ROWS_AT_MOST
		assert differences.table(rows) in page, "docs/conformance.md is not what differences.py prints"
