# SPDX-License-Identifier: Apache-2.0
"""What the two ways of counting say together, for people (docs/coverage.md) and for programs (build/coverage.json)."""
import json

COUNTED = ("hv/", "storage/", "keymgmt/")
SOURCES = (".c", ".h")


def merge(*parts):
	"""A line ran when any of the parts says so; each part knows lines of its own."""
	merged = {}
	for part in parts:
		for name, lines in part.items():
			if not name.startswith(COUNTED) or not name.endswith(SOURCES):
				continue
			into = merged.setdefault(name, {})
			for line, ran in lines.items():
				into[line] = into.get(line, False) or ran
	return merged


def ranges(lines):
	"""The lines that did not run, as text; a gap of lines without code does not end a range."""
	spans = []
	for line in sorted(lines):
		if lines[line]:
			spans.append(None)
		elif spans and spans[-1]:
			spans[-1][1] = line
		else:
			spans.append([line, line])
	return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in filter(None, spans))


def percent(lines):
	return 100 * sum(lines.values()) / len(lines)


def total(merged):
	return percent({(name, line): ran for name, lines in merged.items() for line, ran in lines.items()})


def by_folder(merged):
	folders = {}
	for name, lines in merged.items():
		folder = name.rpartition("/")[0]
		folders.setdefault(folder, {}).update({(name, line): ran for line, ran in lines.items()})
	return folders


def _row(name, lines, *more):
	return "| " + " | ".join([f"`{name}`", str(len(lines)), str(sum(lines.values())), f"{percent(lines):.1f}", *more]) + " |"


def as_json(merged, least):
	return json.dumps({
		"percent": round(total(merged), 2), "least": least,
		"files": {name: {"lines": len(lines), "covered": sum(lines.values()),
			"uncovered": sorted(line for line, ran in lines.items() if not ran)}
			for name, lines in sorted(merged.items())}}, indent="\t") + "\n"


def as_markdown(merged, preface, **words):
	"""`words` are what the preface says beside the total."""
	out = [preface.format(total=total(merged), **words).rstrip(), ""]
	out += ["| folder | lines | covered | % |", "|---|---|---|---|"]
	out += [_row(name, lines) for name, lines in sorted(by_folder(merged).items())]
	out += ["", "| file | lines | covered | % | not covered |", "|---|---|---|---|---|"]
	out += [_row(name, lines, ranges(lines)) for name, lines in sorted(merged.items())]
	return "\n".join(out) + "\n"
