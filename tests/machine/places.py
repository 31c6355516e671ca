# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the tree, what it builds, the cache that outlives a `make clean`."""
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = f"{TREE}/build"
MACHINES = f"{BUILD}/machines"
IMAGES = f"{BUILD}/images"
GUEST = f"{TREE}/tests/machine/guest"
UNDERSEAL_EFI = f"{BUILD}/underseal.efi"
UNDERSEAL = f"{BUILD}/underseal"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "underseal")


def fresh(directory):
	"""An empty directory of that name."""
	shutil.rmtree(directory, ignore_errors=True)
	os.makedirs(directory)
	return directory


@contextlib.contextmanager
def locked(path):
	"""Holds the lock file `path` against other processes that build the same thing."""
	with open(path, "w", encoding="ascii") as lock:
		fcntl.flock(lock, fcntl.LOCK_EX)
		yield


def cached(name, recipe, build):
	"""The cache's directory for a recipe (any text that decides the result); `build(directory)` fills it once.
	Two who want the same one wait for each other; half-built ones are never seen."""
	key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
	directory = f"{CACHE}/{name}-{key}"
	os.makedirs(CACHE, exist_ok=True)
	with locked(f"{CACHE}/{name}.lock"):
		if not os.path.isdir(directory):
			unfinished = tempfile.mkdtemp(prefix=f"{name}.", dir=CACHE)
			try:
				build(unfinished)
				os.rename(unfinished, directory)
			except BaseException:
				shutil.rmtree(unfinished, ignore_errors=True)
				raise
	return directory
