# SPDX-License-Identifier: Apache-2.0
"""Disks on NVMe controllers: protected, unprotected, beside others, unplugged."""
import os
import re

import checks
import gpt
import setups
import stock
from case import case
from qemu import Disk

MIB = 1 << 20


@case("fio verify on an NVMe disk with 512-byte cipher sectors, judged by stock tools", cost=6)
def nvme_verify_512():
	checks.fio_then_judge("nvme-verify-512", 512, 1, bus="nvme")


@case("fio verify on an NVMe disk with blocks of 4096 bytes, two CPUs and a queue for each, judged likewise", cost=6)
def nvme_verify_blocks_of_4096():
	checks.fio_then_judge("nvme-verify-blocks-of-4096", 4096, 2, bus="nvme", lba_bytes=4096)


@case("fio verify on an NVMe disk with 4096-byte cipher sectors on blocks of 512 bytes, judged likewise", cost=6)
def nvme_verify_4096():
	checks.fio_then_judge("nvme-verify-4096", 4096, 2, bus="nvme")


@case("fio verify on an NVMe disk where the guest has the interrupts by a pin, judged likewise", cost=6)
def nvme_pin_interrupts():
	checks.fio_then_judge("nvme-pin-interrupts", 512, 2, kernel_options="pci=nomsi", bus="nvme")


@case("TRIM reaches an NVMe disk, and only what was trimmed")
def nvme_trim():
	checks.trim("nvme-trim", bus="nvme")


@case("the guest cannot change the partition table of an NVMe disk where the volume stands; elsewhere it can", cost=2)
def nvme_pins():
	checks.partition_table("nvme-pins", r"command 1 refused, status 4020: a protected entry of the partition table", bus="nvme")


@case("an unchanged Debian runs from its encrypted root on NVMe, two CPUs", cost=9)
def nvme_root():
	checks.debian_root("nvme-root", bus="nvme")


def _node_of(machine, controller, namespace=1):
	"""Linux numbers controllers and namespaces as they come: the one with that serial number, and that identifier."""
	serials = machine.run("grep . /sys/class/nvme/nvme*/serial")
	found = re.search(rf"(/sys/class/nvme/nvme\d+)/serial:nvme{controller}\s", serials).group(1)
	return "/dev/" + machine.run(f"grep -lx {namespace} {found}/nvme*/nsid").strip().split("/")[-2]


def _mark(machine, node, text):
	machine.run(f"[ -b {node} ] && echo {text} | dd of={node} bs=4096 seek=16 conv=sync,fsync && echo 3 >/proc/sys/vm/drop_caches")
	assert machine.run(f"dd if={node} bs=4096 skip=16 count=1 2>/dev/null | head -1").strip() == text


def _marked(disk, partition="data", encrypted=True):
	"""The text that stands where _mark() has put it, as stock tools read it, or as it is on the medium."""
	if encrypted:
		data = stock.Volume(disk.path, partition, setups.PASSPHRASE).read(65536, 4096)
	else:
		data = gpt.read(disk.path, gpt.entry(disk.path, partition).start + 65536, 4096)
	return data.split(b"\n")[0].decode()


@case("AHCI and NVMe in one machine, a protected and a clear disk on each, by controller and by namespace", cost=3)
def nvme_and_ahci():
	name = "nvme-and-ahci"
	places = {"nvme": {"bus": "nvme", "controller": 0}, "nvme-second": {"bus": "nvme", "controller": 0, "namespace": 2},
		"nvme-clear": {"bus": "nvme", "controller": 1}, "ahci": {"port": 0}, "ahci-clear": {"controller": 1}}
	protected = ("nvme", "ahci")
	disks = {key: Disk(setups.data_disk(f"{name}-{key}", 32, 512 if key in protected else 0), **place)
		for key, place in places.items()}
	with setups.quick(name, disks.values(), cpus=2) as machine:
		ahci = [line.rsplit("/", 1)[1] for line in machine.run("ls -d /sys/bus/pci/drivers/ahci/0000:*/ata*/host*/"
			"target*/*/block/* | sed 's/.*drivers.ahci.//' | sort -r").split()]
		nodes = {"nvme": _node_of(machine, 0) + "p1", "nvme-second": _node_of(machine, 0, 2) + "p1",
			"nvme-clear": _node_of(machine, 1) + "p1", "ahci": f"/dev/{ahci[0]}1", "ahci-clear": f"/dev/{ahci[1]}1"}
		for key, node in nodes.items():
			_mark(machine, node, f"{checks.MARKER}{key}")
		kinds = re.findall(r" (ahci|nvme) \w+:\w+\.\w (?:port|namespace) \d", machine.run("underseal status"))
		assert sorted(kinds) == ["ahci", "nvme"], kinds
		taken = re.findall(r"^(ahci|nvme) \w+:\w+\.\w+: registers", machine.run("underseal log"), re.MULTILINE)
		assert sorted(taken) == ["ahci", "nvme"], "a controller without a protected disk was taken over"
		setups.power_off(machine)
	for key, disk in disks.items():
		assert _marked(disk, encrypted=key in protected) == f"{checks.MARKER}{key}", key
		clear = stock.holds(disk.path, checks.MARKER.encode()) is not None
		assert clear == (key not in protected), f"{key}: {'clear' if clear else 'not clear'} on the medium"


@case("two volumes on one NVMe namespace, each with its own key", cost=2)
def nvme_two_volumes():
	disk = Disk(setups.path("nvme-two-volumes"), bus="nvme")
	gpt.make(disk.path, [gpt.Part("one", gpt.TYPE_DATA, 16), gpt.Part("two", gpt.TYPE_DATA, 16)], 36)
	for entry, sector_bytes in (("one", 512), ("two", 4096)):
		setups.protect(disk.path, gpt.entry(disk.path, entry).number, sector_bytes)
	with setups.quick("nvme-two-volumes", [disk]) as machine:
		for partition in (1, 2):
			_mark(machine, disk.node(partition), f"{checks.MARKER}{partition}")
		# One command's worth of data across the border between the two.
		machine.run(f"yes {checks.MARKER}border | head -c 196608 >/tmp/border; "
			f"dd if=/tmp/border of={disk.node()} bs=64k seek={(17 * MIB - 131072) // 65536} conv=fsync")
		setups.power_off(machine)
	one, two = (stock.Volume(disk.path, name, setups.PASSPHRASE) for name in ("one", "two"))
	assert one.key != two.key and (one.sector_bytes, two.sector_bytes) == (512, 4096)
	assert [_marked(disk, name) for name in ("one", "two")] == [f"{checks.MARKER}1", f"{checks.MARKER}2"]
	border = (one.read(16 * MIB - 131072, 131072) + two.read(0, 65536)).decode()
	assert border == (f"{checks.MARKER}border\n" * 10000)[:len(border)]
	assert stock.holds(disk.path, checks.MARKER.encode()) is None


@case("a guest that polls its completion queues instead of waiting for interrupts", cost=4)
def nvme_poll():
	disk = Disk(setups.data_disk("nvme-poll", 96, 512), bus="nvme")
	with setups.quick("nvme-poll", [disk], cpus=2) as machine:
		address = machine.run("cat /sys/class/nvme/nvme0/address").strip()
		driver = "/sys/bus/pci/drivers/nvme"
		machine.run(f"echo {address} >{driver}/unbind; echo 1 >/sys/module/nvme/parameters/poll_queues; "
			f"dmesg -c >/dev/null; echo {address} >{driver}/bind")
		machine.run(f"for i in $(seq 50); do [ -e {disk.node(1)} ] && break; sleep 0.2; done; [ -e {disk.node(1)} ]", 30)
		queues = re.search(r"(\d+)/(\d+)/(\d+) default/read/poll queues", machine.run("dmesg"))
		assert queues and queues.group(3) == "1", machine.run("dmesg")
		assert machine.run("cat /sys/block/nvme0n1/queue/io_poll").strip() == "1"
		for engine, depth in (("pvsync2", 1), ("io_uring", 16)):
			machine.run(f"fio --name=poll --filename={disk.node(1)} --direct=1 --ioengine={engine} --hipri --rw=randrw "
				f"--bs=4k --iodepth={depth} --size=16m --verify=crc32c --do_verify=1 --verify_fatal=1 --output=/tmp/log "
				"|| { tail -30 /tmp/log; false; }", 60)
		assert "timeout" not in machine.run("dmesg | grep -i nvme")
		seen = machine.run(f"openssl dgst -sha256 -r {disk.node(1)}", 60).split()[0]
		setups.power_off(machine)
	assert stock.Volume(disk.path, "data", setups.PASSPHRASE).sha256() == seen


def _unplug(machine, controller):
	machine.qmp("device_del", id=f"nvme{controller}")
	machine.run(f"( for i in $(seq 100); do grep -q nvme{controller} /sys/class/nvme/nvme*/serial 2>/dev/null || exit 0; "
		"sleep 0.2; done; exit 1 )", 40)


@case("NVMe controllers are unplugged, a clear and a protected one: the guest is told, and all else goes on", cost=2)
def nvme_hot_removal():
	disks = [Disk(setups.data_disk("nvme-hot-removal-a", 32, 512), bus="nvme", root_port=True),
		Disk(setups.data_disk("nvme-hot-removal-b", 32), bus="nvme", controller=1, root_port=True),
		Disk(setups.data_disk("nvme-hot-removal-c", 32, 512))]
	with setups.quick("nvme-hot-removal", disks, cpus=2) as machine:
		node = _node_of(machine, 0) + "p1"
		_mark(machine, node, f"{checks.MARKER}a")
		_unplug(machine, 1)
		_mark(machine, node, f"{checks.MARKER}b")
		machine.begin(f"dd if=/dev/zero of={node} bs=64k seek=32 count=400 oflag=direct")
		machine.finish(60, check=False)
		_unplug(machine, 0)
		assert "1" == machine.run(f"head -c 4096 {node} >/dev/null 2>&1; echo $?").strip()
		machine.run("underseal status && underseal stat >/dev/null && underseal log")
		_mark(machine, "/dev/sda1", f"{checks.MARKER}c")
		setups.power_off(machine)
	assert _marked(disks[0]) == f"{checks.MARKER}b" and _marked(disks[2]) == f"{checks.MARKER}c"


def _refused(machine, disk, reason):
	"""`protect` in the guest says why it does not take the disk."""
	said = machine.run(f"echo secret >/tmp/secret; underseal protect {disk} --partition 1 --offline "
		"--passphrase-file /tmp/secret; echo status $?")
	assert "status 3" in said and reason in said, said


@case("protect refuses a namespace with metadata, on a controller that is otherwise left alone", cost=2)
def nvme_metadata():
	disks = [Disk(setups.data_disk("nvme-metadata-a", 32, 512), bus="nvme"),
		Disk(setups.data_disk("nvme-metadata-b", 32), bus="nvme", controller=1, namespace=2, metadata_bytes=8)]
	# QEMU keeps the metadata behind all blocks, which must still be as many as before.
	os.truncate(disks[1].path, os.path.getsize(disks[1].path) // 512 * 520 + MIB)
	with setups.quick("nvme-metadata", disks) as machine:
		_refused(machine, _node_of(machine, 1, 2), "keeps metadata")
		_mark(machine, _node_of(machine, 0) + "p1", checks.MARKER)
		setups.power_off(machine)
	assert _marked(disks[0]) == checks.MARKER


@case("a namespace that two controllers show stays locked on both, and protect refuses it", cost=2)
def nvme_two_paths():
	path = setups.data_disk("nvme-two-paths", 32, 512)
	shown = ["-device", "nvme-subsys,id=subsystem"]
	for name in ("nvme0", "nvme1"):
		shown += ["-device", f"nvme,id={name},serial=shared,subsys=subsystem"]
	shown += ["-drive", f"if=none,id=shared,format=raw,file={path}", "-device", "nvme-ns,drive=shared,bus=nvme0,nsid=1"]
	before = gpt.read(path, 0, os.path.getsize(path))
	with setups.quick("nvme-two-paths", [], passphrase=None, options=shown) as machine:
		assert len(re.findall(r"stays locked\. Two NVMe disks show it", machine.text())) == 2, machine.tail()
		assert machine.run("underseal status; echo status $?").strip().endswith("status 5")
		_refused(machine, machine.run("ls /dev/nvme*n1").strip(), "several controllers")
		setups.power_off(machine)
	assert gpt.read(path, 0, os.path.getsize(path)) == before


@case("an NVMe disk where the trap on the local APICs is lifted: its interrupts are still seen", cost=2)
def nvme_icr_fast():
	disk = Disk(setups.data_disk("nvme-icr-fast", 32, 512), bus="nvme")
	with setups.quick("nvme-icr-fast", [disk], cpus=2, policy="icr=fast\n") as machine:
		assert "the trap on its registers is lifted" in machine.run("underseal log")
		for cpu in (1, 2):
			machine.run(f"taskset {cpu} fio --name=job --filename={disk.node(1)} --direct=1 --ioengine=libaio --rw=randrw --bs=4k "
				"--iodepth=16 --size=8m --verify=crc32c --do_verify=1 --verify_fatal=1 --output=/tmp/log")
		_mark(machine, disk.node(1), checks.MARKER)
		assert not machine.run("dmesg | grep -i 'nvme.*timeout' || true").strip()
		setups.power_off(machine)
	assert _marked(disk) == checks.MARKER
