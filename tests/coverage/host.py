# SPDX-License-Identifier: Apache-2.0
"""The lines that host tests ran, by gcov."""
import glob
import json
import os
import subprocess


def forget(directory):
	"""Counts of an earlier run below `directory`."""
	for path in glob.glob(f"{directory}/**/*.gcda", recursive=True):
		os.unlink(path)


def lines(directory):
	"""{file: {line: whether it ran}} of all objects below `directory`; those of a program that never ran too."""
	found = {}
	for notes in sorted(glob.glob(f"{directory}/**/*.gcno", recursive=True)):
		said = subprocess.run(["gcov", "--json-format", "--stdout", notes], check=True, capture_output=True).stdout
		for file in json.loads(said)["files"]:
			into = found.setdefault(os.path.normpath(file["file"]), {})
			for line in file["lines"]:
				number = line["line_number"]
				into[number] = into.get(number, False) or line["count"] > 0
	return found
