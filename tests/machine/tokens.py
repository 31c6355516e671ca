# SPDX-License-Identifier: Apache-2.0
"""Tokens in the header of an image's only volume, made and changed by stock tools on this machine."""
import contextlib
import json
import subprocess
import tempfile

import gpt


def tool(*words, **kwargs):
	"""Runs a tool; its standard output. Its failure says what it said."""
	done = subprocess.run(words, check=False, capture_output=True, **kwargs)
	if done.returncode:
		raise RuntimeError(f"{words[0]} ended with status {done.returncode}: {done.stderr.decode().strip()}")
	return done.stdout


@contextlib.contextmanager
def header(image):
	"""The header partition as a file; what is changed in it is written back."""
	entry = gpt.header_entry(image)
	with tempfile.TemporaryDirectory() as folder:
		path = f"{folder}/header"
		with open(path, "wb") as out:
			out.write(gpt.read(image, entry.start, entry.bytes))
		yield path
		with open(path, "rb") as changed:
			gpt.write(image, entry.start, changed.read())


def token(image, number):
	"""A token's JSON."""
	with header(image) as path:
		return json.loads(tool("cryptsetup", "token", "export", f"--token-id={number}", path))


def change(image, number, **fields):
	"""Replaces fields of a token's JSON with stock cryptsetup; `_` stands for the `-` in their names."""
	changed = token(image, number) | {name.replace("_", "-"): value for name, value in fields.items()}
	with header(image) as path:
		tool("cryptsetup", "token", "import", f"--token-id={number}", "--token-replace", path,
			input=json.dumps(changed).encode())


def kinds(image):
	"""What systemd-cryptenroll calls the key slots of the image's only volume, by number."""
	with header(image) as path:
		lines = tool("systemd-cryptenroll", path).decode().splitlines()[1:]
	return {int(number): kind for number, kind in (line.split() for line in lines)}
