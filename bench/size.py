# SPDX-License-Identifier: Apache-2.0
"""How much code there is: lines per folder of what runs on a user's computer, without blank ones and comments."""
import collections
import os
import re

import places

FOLDERS = ("hv", "storage", "keymgmt", "installer")
ENDINGS = (".c", ".h", ".S")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def code_lines(text):
	return sum(1 for line in COMMENT.sub("", text).splitlines() if line.strip())


def by_folder():
	"""folder → (lines of code, all lines)."""
	sizes = collections.defaultdict(lambda: [0, 0])
	for top in FOLDERS:
		for folder, _, names in os.walk(f"{places.TREE}/{top}"):
			for name in names:
				if name.endswith(ENDINGS):
					with open(f"{folder}/{name}", encoding="utf-8") as source:
						text = source.read()
					size = sizes[os.path.relpath(folder, places.TREE)]
					size[0] += code_lines(text)
					size[1] += text.count("\n")
	return {folder: tuple(size) for folder, size in sorted(sizes.items())}
