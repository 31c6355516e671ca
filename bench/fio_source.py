# SPDX-License-Identifier: Apache-2.0
"""The headers of the installed fio, which no Debian package brings: from its source package, kept in the cache.
fio_source.py LINK makes LINK lead there."""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "machine"))

import places  # noqa: E402

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _version():
	return subprocess.run(["dpkg-query", "-W", "-f", "${source:Package}=${source:Version}", "fio"], capture_output=True,
		text=True, check=True).stdout


def _apt(directory):
	"""apt-get with lists of its own: the system's sources may leave source packages out, and stay as they are."""
	lines = subprocess.run(["apt-get", "indextargets", "--format", f"deb-src [signed-by={KEYRING}] $(REPO_URI) $(RELEASE) "
		"$(COMPONENT)", "Created-By: Packages", "Origin: Debian"], capture_output=True, text=True, check=True).stdout
	for name in ("lists/partial", "archives/partial"):
		os.makedirs(f"{directory}/apt/{name}")
	with open(f"{directory}/apt/sources.list", "w", encoding="ascii") as sources:
		sources.write("".join(sorted(set(lines.splitlines(keepends=True)))))
	return ["apt-get", "-q", "-o", f"Dir::Etc::SourceList={directory}/apt/sources.list", "-o", "Dir::Etc::SourceParts=-",
		"-o", f"Dir::State::Lists={directory}/apt/lists", "-o", f"Dir::Cache={directory}/apt", "-o", "APT::Sandbox::User="]


def _build(directory):
	print("fetching the source of fio for its headers, once ...", flush=True)
	def run(*command, cwd=directory):
		subprocess.run(command, cwd=cwd, check=True, stdout=log, stderr=subprocess.STDOUT)
	with open(f"{directory}/log", "w", encoding="utf-8") as log:
		apt = _apt(directory)
		run(*apt, "update")
		run(*apt, "source", "--download-only", _version())
		run("dpkg-source", "--no-check", "-x", os.path.basename(glob.glob(f"{directory}/*.dsc")[0]), "source")
		run("./configure", "--disable-native", cwd=f"{directory}/source")
	for path in glob.glob(f"{directory}/*"):
		if os.path.basename(path) not in ("source", "log"):
			subprocess.run(["rm", "-rf", path], check=True)
	subprocess.run(["find", f"{directory}/source", "-type", "f", "!", "-name", "*.h", "-delete"], check=True)


def main(link):
	source = places.cached("fio-headers", f"{_version()} 1", _build)
	os.makedirs(os.path.dirname(link), exist_ok=True)
	if os.path.lexists(link):
		os.unlink(link)
	os.symlink(f"{source}/source", link)


if __name__ == "__main__":
	try:
		main(sys.argv[1])
	except (OSError, subprocess.CalledProcessError) as problem:
		print(f"error: the headers of fio: {problem}", file=sys.stderr)
		sys.exit(1)
