# SPDX-License-Identifier: Apache-2.0
"""Disks on controllers on ports: the old chipset's own, and ones beside AHCI; DMA and PIO, both drives of a channel,
what a driver does when something fails, and a guest that goes past every driver (tests/guest/ports/)."""
import hashlib
import os

import checks
import gpt
import guests
import setups
import stock
from case import case
from qemu import FIRMWARE_PC, Disk

# The kernel's own way to leave DMA alone.
PIO = "libata.dma=0"


@case("fio verify on an ATA disk of the old chipset, judged by stock tools", cost=6)
def ata_verify_512():
	checks.fio_then_judge("ata-verify-512", 512, 1, firmware=FIRMWARE_PC, mode="DMA", bus="ata")


@case("fio verify on an ATA disk beside AHCI, with 4096-byte cipher sectors and two CPUs, judged likewise", cost=6)
def ata_verify_4096():
	checks.fio_then_judge("ata-verify-4096", 4096, 2, mode="DMA", bus="ata", controller=2, port=2)


@case("fio verify on an ATA disk by PIO, in blocks of many sectors, judged likewise", cost=8)
def ata_verify_pio():
	checks.fio_then_judge("ata-verify-pio", 512, 1, kernel_options=PIO, firmware=FIRMWARE_PC,
		mode="PIO", bus="ata", port=1)


@case("TRIM reaches an ATA disk, and only what was trimmed")
def ata_trim():
	checks.trim("ata-trim", bus="ata", controller=1)


@case("the guest cannot change the partition table of an ATA disk where the volume stands; elsewhere it can", cost=2)
def ata_pins():
	checks.partition_table("ata-pins", bus="ata", controller=1)


@case("the same by PIO", cost=3)
def ata_pins_pio():
	checks.partition_table("ata-pins-pio", kernel_options=PIO, bus="ata", controller=1)


@case("an unchanged Debian runs from its encrypted root on an ATA disk, two CPUs", cost=9)
def ata_root():
	checks.debian_root("ata-root", firmware=FIRMWARE_PC, bus="ata")


@case("four drives of one controller: two protected ones on one channel, a clear one and none on the other", cost=2)
def ata_several_drives():
	disks = [Disk(setups.data_disk("ata-several-a", 32, 512), bus="ata", port=0),
		Disk(setups.data_disk("ata-several-b", 32, 4096), bus="ata", port=1),
		Disk(setups.data_disk("ata-several-c", 32), bus="ata", port=2)]
	with setups.quick("ata-several-drives", disks, firmware=FIRMWARE_PC) as machine:
		for letter in "abc":
			machine.run(f"echo {checks.MARKER}ata | dd of=/dev/sd{letter}1 bs=4096 seek=16 conv=sync,fsync")
		setups.power_off(machine)
	plain = [stock.holds(disk.path, checks.MARKER.encode()) is not None for disk in disks]
	assert plain == [False, False, True], plain
	for disk in disks[:2]:
		read = stock.Volume(disk.path, "data", setups.PASSPHRASE).read(65536, 4096)
		assert read.startswith(checks.MARKER.encode()), disk.path
	with open(disks[2].path, "rb") as image:
		image.seek(gpt.entry(disks[2].path, "data").start + 65536)
		assert image.read(64).startswith(checks.MARKER.encode())


MIB = 1 << 20


def _mark(machine, mib, text):
	machine.run(f"echo {checks.MARKER}{text} | dd of=/dev/sda1 bs=4096 seek={mib * 256} conv=sync,fsync oflag=direct")


def _judge(path, *marks):
	"""What was marked in so many MiB stands there for stock tools, and nowhere in clear."""
	volume = stock.Volume(path, "data", setups.PASSPHRASE)
	for mib, text in marks:
		assert volume.read(mib * MIB, 4096).startswith(f"{checks.MARKER}{text}".encode()), text
	assert stock.holds(path, checks.MARKER.encode()) is None, "the marker is on the medium in clear"


def _function(machine):
	"""Where the driver of IDE controllers has one, in sysfs."""
	return machine.run("ls -d /sys/bus/pci/drivers/ata_piix/0000:*").split()[0]


def _appears(machine):
	machine.run("for i in $(seq 60); do [ -e /dev/sda1 ] && break; sleep 0.5; done; [ -e /dev/sda1 ]", 40)


@case("the driver of an ATA disk lets go of it and takes it again, the controller goes and is found again", cost=3)
def ata_rescan():
	path = setups.data_disk("ata-rescan", 32, 512)
	with setups.quick("ata-rescan", [Disk(path, bus="ata")], firmware=FIRMWARE_PC, cpus=2) as machine:
		_mark(machine, 1, "one")
		name = _function(machine).rsplit("/", 1)[1]
		machine.run(f"echo {name} >/sys/bus/pci/drivers/ata_piix/unbind; [ ! -e /dev/sda1 ]")
		machine.run(f"echo {name} >/sys/bus/pci/drivers/ata_piix/bind")
		_appears(machine)
		_mark(machine, 2, "two")
		machine.run(f"echo 1 >/sys/bus/pci/devices/{name}/remove; [ ! -e /dev/sda1 ]; echo 1 >/sys/bus/pci/rescan")
		_appears(machine)
		_mark(machine, 3, "three")
		# The error handler resets the channel by SRST.
		machine.run("for host in /sys/class/scsi_host/host*; do echo '- - -' >$host/scan; done", 60)
		_mark(machine, 4, "four")
		assert machine.run("dd if=/dev/sda1 bs=4096 skip=256 count=1 iflag=direct").startswith(f"{checks.MARKER}one")
		setups.power_off(machine)
	_judge(path, (1, "one"), (2, "two"), (3, "three"), (4, "four"))


@case("ports that are moved and switched off again and again while data is written: commands are lost, nothing leaks", cost=4)
def ata_moving_ports():
	path = setups.data_disk("ata-moving-ports", 32, 512)
	with setups.quick("ata-moving-ports", [Disk(path, bus="ata")], firmware=FIRMWARE_PC, cpus=2) as machine:
		config = f"/sys/bus/pci/devices/{_function(machine).rsplit('/', 1)[1]}/config"
		machine.run("echo 2 >/sys/block/sda/device/timeout")
		machine.run(f"yes {checks.MARKER}moving | head -c 4194304 >/tmp/data")
		machine.run(f"dd if={config} of=/tmp/bar bs=1 skip=32 count=4; dd if={config} of=/tmp/on bs=1 skip=4 count=2; "
			"printf '\\000\\004' >/tmp/off")
		machine.run("dd if=/tmp/data of=/dev/sda1 bs=64k oflag=direct conv=notrunc >/tmp/said 2>&1 & "
			f"for i in $(seq 12); do dd if=/tmp/bar of={config} bs=1 seek=32 conv=notrunc; "
			f"dd if=/tmp/off of={config} bs=1 seek=4 conv=notrunc; dd if=/tmp/on of={config} bs=1 seek=4 conv=notrunc; "
			"sleep 0.3; done; wait", 180)
		_mark(machine, 8, "after")
		setups.power_off(machine)
	_judge(path, (8, "after"))


def _port_exits(machine, work, count):
	"""Exits at ports for each of so many commands; starting the program takes none."""
	before = setups.exits(machine)
	machine.run(work, 60)
	return (setups.exits(machine)["io-port"] - before["io-port"]) / count


@case("a command by DMA costs at most 8 exits at ports, whichever CPU gives it", cost=2)
def ata_exits():
	path, reads = setups.data_disk("ata-exits", 32, 512), 400
	with setups.quick("ata-exits", [Disk(path, bus="ata")], firmware=FIRMWARE_PC, cpus=2) as machine:
		for cpu in ("1", "2"):
			for work in ("if=/dev/sda1 of=/dev/null iflag=direct", "if=/dev/zero of=/dev/sda1 oflag=direct"):
				exits = _port_exits(machine, f"taskset {cpu} dd {work} bs=4k count={reads}", reads)
				assert exits <= 8, f"{exits} exits for a command of `dd {work}` on CPU {cpu}"
		machine.run("for cpu in 1 2; do taskset $cpu fio --name=cpu$cpu --filename=/dev/sda1 --offset=$((cpu * 8))m --size=8m "
			"--direct=1 --ioengine=libaio --rw=randrw --bs=4k --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 "
			"--output=/tmp/log$cpu & done; wait; ! grep -L 'err= 0' /tmp/log1 /tmp/log2 | grep .", 90)
		_mark(machine, 4, "exits")
		setups.power_off(machine)
	_judge(path, (4, "exits"))


@case("an optical drive beside a protected disk on one channel: both are found, and work", cost=2)
def ata_optical():
	path, noise = setups.data_disk("ata-optical", 32, 512), setups.noise("ata-optical-noise", 4)
	optical = ["-drive", f"if=none,id=optical,format=raw,file={noise},readonly=on,media=cdrom",
		"-device", "ide-cd,drive=optical,bus=ide.0,unit=1"]
	with setups.quick("ata-optical", [Disk(path, bus="ata")], firmware=FIRMWARE_PC, options=optical) as machine:
		seen = machine.run("openssl dgst -sha256 -r /dev/sr0", 60).split()[0]
		_mark(machine, 1, "beside")
		assert machine.run("dd if=/dev/sda1 bs=4096 skip=256 count=1 iflag=direct").startswith(f"{checks.MARKER}beside")
		assert "failed" not in machine.run("dmesg | grep -E 'ata[0-9].*failed' || true")
		setups.power_off(machine)
	with open(noise, "rb") as image:
		assert hashlib.sha256(image.read()).hexdigest() == seen
	os.unlink(noise)
	_judge(path, (1, "beside"))


# What tests/guest/ports/ prints, line by line.
PORTS_SAY = """beneath = 1
write of 4 MiB = done
read by PIO = done
its data = right
read of 4 MiB = done
its data too = right
status undecoded = ff
read after it = done
read of the second disk = done
device after a reset = 0
read of it after that = done
read into foreign memory = refused
write from foreign memory = refused
read after those = done
table as it is = done
table changed = refused
blocks of 8 = done
table as it is = done
table changed = refused
read after a reset in a write = done
what was written = right
read by a bus master moved = done
its data there = right
read when it is back = done""".splitlines()
PORTS_MARKER = b"PORTS-PLAINTEXT-"


@case("a guest that goes to the ports itself: switched off, after resets, moved, with foreign memory; in 4 MiB at once", cost=3)
def ata_ports():
	disks = [setups.noisy_disk(f"ata-ports-{name}", 32, 512) for name in "ab"]
	clear = setups.data_disk("ata-ports-clear", 32)
	before = [stock.Volume(disk, "data", setups.PASSPHRASE).read(0, 32 * MIB) for disk in disks]
	tables = [gpt.read(disk, 0, MIB // 2) for disk in disks]
	options = {"first": gpt.entry(disks[0], "data").start // gpt.SECTOR, "table_sector": 2, "table_offset": 32}
	with guests.booted("ports", "ata-ports", beneath=True, options=options, data=disks[0], bus="ata", firmware=FIRMWARE_PC,
			disks=[Disk(clear, bus="ata", port=2), Disk(disks[1], bus="ata", port=3)]) as machine:
		text = guests.finish(machine, 120)
	assert [line for line in text.splitlines() if " = " in line] == PORTS_SAY, text
	after = [stock.Volume(disk, "data", setups.PASSPHRASE).read(0, 32 * MIB) for disk in disks]
	expected = bytearray(before[0])
	expected[:4 * MIB] = PORTS_MARKER * (4 * MIB // 16)
	expected[9200 * 512:9203 * 512] = PORTS_MARKER * (3 * 32)
	assert after == [bytes(expected), before[1]], "a volume holds something else than was written to it"
	assert [gpt.read(disk, 0, MIB // 2) for disk in disks] == tables
	assert all(stock.holds(disk, PORTS_MARKER) is None for disk in disks), "the marker is on a medium in clear"
