# SPDX-License-Identifier: Apache-2.0
"""The Debian the machines run: mmdebstrap's call, its sources and its packages.

The mirror is this machine's own: every apt entry of the release in /etc/os-release, whatever its address.
"""
import glob
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT_MIB = 1024

# The last row is what the `underseal` command links against; fio is not here, see tools.py.
PACKAGES = """systemd systemd-sysv udev dbus kmod util-linux login passwd e2fsprogs iproute2
	linux-image-amd64 initramfs-tools zstd busybox-static
	libcryptsetup12 libfdisk1 libblkid1 libjson-c5 libtss2-esys-3.0.2-0 libtss2-tctildr0 libtss2-mu0 libtss2-rc0
	libp11-kit0 libssl3""".split()

# What the initrd may need to find its root; everything else comes from the root itself.
INITRD_MODULES = "ahci ata_piix sd_mod nvme virtio_pci virtio_blk ext4 crc32c_generic"

SETUP_HOOK = f'''mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/underseal"
echo "{INITRD_MODULES}" | tr " " "\\n" >"$1/usr/share/initramfs-tools/modules.d/underseal"'''


def codename():
	with open("/etc/os-release", encoding="utf-8") as release:
		values = dict(line.strip().split("=", 1) for line in release if "=" in line)
	return values["VERSION_CODENAME"].strip('"')


def _one_line_entries(text):
	for line in text.splitlines():
		words = line.split("#")[0].replace("[", " [ ").replace("]", " ] ").split()
		if not words or words[0] != "deb":
			continue
		if words[1] == "[":
			del words[1:words.index("]") + 1]
		yield words[1], words[2], words[3:]


def _deb822_entries(text):
	for stanza in text.split("\n\n"):
		lines = [line for line in stanza.splitlines() if not line.startswith("#")]
		fields = dict((part.strip() for part in line.split(":", 1)) for line in lines if ":" in line)
		if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes") == "no":
			continue
		for uri in fields["URIs"].split():
			for suite in fields["Suites"].split():
				yield uri, suite, fields.get("Components", "").split()


def sources(apt="/etc/apt"):
	"""This machine's apt entries for its own release, as one-line entries of `main`."""
	entries = []
	for path in [f"{apt}/sources.list"] + sorted(glob.glob(f"{apt}/sources.list.d/*")):
		if not os.path.isfile(path):
			continue
		with open(path, encoding="utf-8") as source:
			read = _deb822_entries if path.endswith(".sources") else _one_line_entries
			entries += read(source.read())
	suites = [codename() + suffix for suffix in ("", "-updates", "-security")]
	lines = [f"deb {uri} {suite} main" for uri, suite, parts in entries if suite in suites and "main" in parts]
	if not any(line.split()[2] == codename() for line in lines):
		raise RuntimeError(f"no apt entry of this machine offers {codename()}: the Debian disk cannot be built")
	return sorted(set(lines))


def _proxy_options():
	dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
	return [f"--aptopt={line}" for line in dump.splitlines() if "::Proxy" in line]


def recipe():
	"""Everything the tree depends on but the mirror's contents, for the cache's key."""
	with open(f"{HERE}/guest/tree.sh", encoding="utf-8") as hook:
		return "\n".join([codename(), " ".join(PACKAGES), SETUP_HOOK, str(ROOT_MIB), hook.read()])


def build(out, log):
	"""Fills the directory `out` with root.ext4, vmlinuz, initrd.img, modules.tar and modules.list (minutes)."""
	# Without root, mmdebstrap works as another user of this one's range, who must be able to write here.
	os.chmod(out, 0o777)
	command = ["mmdebstrap", "--variant=minbase", "--format=null", "--include=" + ",".join(PACKAGES),
		'--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"',
		"--aptopt=Acquire::Retries 3", *_proxy_options(),
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--setup-hook=" + SETUP_HOOK,
		f'--customize-hook=sh {HERE}/guest/tree.sh "$1" {out} {ROOT_MIB}',
		codename(), "-", "-"]
	if os.geteuid() == 0:
		command.insert(1, "--mode=root")
	subprocess.run(command, input="\n".join(sources()) + "\n", stdout=log, stderr=log, text=True, check=True)
