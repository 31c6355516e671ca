# SPDX-License-Identifier: Apache-2.0
"""A processor beneath underseal is the processor: the conformance guest, line by line, bare and beneath."""
import concurrent.futures
import re

import differences
import guests
import places
from case import case

CPUS = {"epyc": "EPYC,+svm,+npt", "max": "max"}
COUNTS = (1, 4)
ROWS_AT_MOST = 12


def _facts(text):
	"""{(theme, key): value}; a key that comes twice would hide a difference."""
	facts, theme = {}, None
	for line in text.splitlines():
		header = re.fullmatch(r"\[(\w+)\]", line)
		if header:
			theme = header.group(1)
		elif theme and " = " in line:
			key, value = line.split(" = ", 1)
			assert (theme, key) not in facts, f"{theme}: two lines of {key}"
			facts[theme, key] = value
	return facts


def _run(model, count, beneath):
	text = guests.run("conform", f"conform-{model}-{count}", seconds=120, beneath=beneath, cpus=count, cpu=CPUS[model])
	return _facts(text)


def _compare(place, bare, beneath, used):
	"""What differs without a row; rows that were needed go to `used`."""
	wrong = []
	for theme, key in list(bare) + [line for line in beneath if line not in bare]:
		one, other = bare.get((theme, key), "(no line)"), beneath.get((theme, key), "(no line)")
		if one == other:
			continue
		row = next((row for row in differences.DIFFERENCES if row.covers(theme, key, other)), None)
		if row:
			used.add(row)
		else:
			wrong.append(f"{place}: {theme}: {key}\n  bare    {one}\n  beneath {other}")
	return wrong


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
			wrong += _compare(f"{model}, {count} CPUs", bare, beneath, used)
	assert not wrong, f"{len(wrong)} lines differ:\n" + "\n".join(wrong[:40])
	idle = [row.key for row in differences.DIFFERENCES if row not in used]
	assert not idle, f"differences that are none any more: {idle}"


@case("the list of differences is short, and the documentation shows it as it is")
def conform_table():
	assert len(differences.DIFFERENCES) <= ROWS_AT_MOST
	with open(f"{places.TREE}/docs/conformance.md", encoding="utf-8") as page:
		assert differences.table() in page.read(), "docs/conformance.md is not what differences.py prints"
