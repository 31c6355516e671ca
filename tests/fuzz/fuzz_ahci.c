/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the doings of a guest and of the device: register accesses of every
 * width, memory contents, commands, completions in any order, resets. Whatever
 * happens: the device reaches only the guest's memory and the mediator's, the
 * header partition stays as it is, no plaintext reaches a volume, and afterwards a
 * reset of the HBA gives a disk that works.
 */
#include "tests/fuzz/doings.h"
#include "tests/model/guest_ahci.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define RAM_FIRST  (1u << 20) /* where machine_ram() begins */
#define RAM_BYTES  (256u * 1024)
#define BOUNCE	   (900u * 1024) /* the arena's end: what is left in it decides nothing */
#define PRDS	   8

static struct machine machine, first_machine;
static struct guest guest, first_guest;
static uint8_t *first_arena, *first_ram, *first_medium;
static uint64_t buffers; /* 64 KiB of guest RAM */

static void set_up(void)
{
	const struct machine_options options = {.sectors = 1024,
		.cipher_a = 4096,
		.ram_bytes = RAM_FIRST + RAM_BYTES,
		.arena_bytes = ahci_arena_bytes(1),
		.one_port = true};

	setvbuf(stderr, NULL, _IOFBF, 1u << 16); /* the mediator's log is long */
	machine_init(&machine, &options);
	check(machine.ahci);
	machine.hba.port[0].rude = true;
	guest_start(&guest, &machine, 0, PRDS);
	buffers = machine_ram(&machine, 65536, 4096);
	for (uint32_t at = 0; at < 65536; at += sizeof(marker))
		memcpy(machine_pointer(&machine, buffers + at), marker, sizeof(marker));
	first_machine = machine;
	first_guest = guest;
	first_arena = copy_of(machine.bus.arena, machine.bus.arena_bytes);
	first_ram = copy_of(machine.bus.ram + RAM_FIRST, RAM_BYTES);
	first_medium = copy_of(machine.disk[0].medium, 1024 * 512);
}

static void start_again(void)
{
	machine = first_machine;
	guest = first_guest;
	memcpy(machine.bus.arena, first_arena, machine.bus.arena_bytes - BOUNCE);
	memcpy(machine.bus.ram + RAM_FIRST, first_ram, RAM_BYTES);
	memcpy(machine.disk[0].medium, first_medium, 1024 * 512);
}

/* A register of the protected port mostly, else any place in the page and beyond. */
static uint32_t take_offset(struct input *in)
{
	uint32_t value = (uint32_t)take(in, 1);

	if (value < 0x80)
		return HBA_PX(0, value);
	return value < 0xc0 ? value - 0x80 : (uint32_t)take(in, 2) % 0x1200;
}

/* Guest RAM mostly; the mediator's memory and the edges of RAM at times. */
static uint64_t take_address(struct input *in)
{
	uint32_t value = (uint32_t)take(in, 3);
	uint64_t address;

	switch (value >> 20) {
	case 0:
		/* Where the mediator itself never sends the device. */
		address = machine.bus.arena_base + ((value % 0x40000 & ~15u) | 6);
		bus_name(&machine.bus, address);
		return address;
	case 1:
		return machine.bus.ram_base + machine.bus.ram_bytes - value % 0x1000;
	case 2:
		return take(in, 8);
	default:
		return buffers + value % 65536;
	}
}

/* ---- doings ---- */

static void access_register(struct input *in, bool write)
{
	uint32_t offset = take_offset(in);
	unsigned size = 1u << take(in, 1) % 4, cpu = size & 1;
	uint64_t value;

	if (!write && size == 4 && offset % 4 == 0) {
		machine_read(&machine, cpu, offset);
		return;
	}
	machine.cpu = cpu;
	if (!write) {
		ahci_read(machine.ahci, offset, size);
		return;
	}
	value = take(in, size);
	ahci_write(machine.ahci, offset, size, value);
}

static void command(struct input *in)
{
	static const uint8_t opcodes[16] = {0x60, 0x61, 0x25, 0x35, 0x60, 0x61, 0xc8, 0xca, 0x24, 0x34, 0xec,
		0x06, 0x2f, 0xea, 0xb0, 0x3d};
	uint32_t how = (uint32_t)take(in, 1), slot = (uint32_t)take(in, 1) % 32;
	struct guest_piece piece[PRDS];
	struct guest_command c;
	uint64_t lba = take(in, 2) % 1100;
	uint32_t count = (uint32_t)take(in, 1);

	c = guest_transfer(how & 1, false, slot, lba, count, piece, 1 + (how >> 4 & 7));
	c.opcode = how & 8 ? (uint8_t)take(in, 1) : opcodes[how & 7];
	if (how & 0x80)
		c.opcode = opcodes[8 + (how & 7)];
	if (ata_is_ncq(c.opcode)) {
		c.features = (uint16_t)count;
		c.count = (uint16_t)(slot << 3);
	} else {
		c.features = c.opcode == 0x06 ? 1 : 0;
	}
	for (uint32_t i = 0; i < c.pieces; i++) {
		piece[i].address = take_address(in);
		piece[i].bytes = (uint32_t)take(in, 2) + 1;
		if (piece[i].bytes % 2 && piece[i].bytes != 1)
			piece[i].bytes++;
	}
	guest_build(&guest, slot, &c);
	if (how & 8)
		machine_write(&machine, how & 1, HBA_PX(0, PX_CI), 1u << slot);
	else
		guest_issue(&guest, how & 1, 1u << slot);
}

static void reset(uint32_t how)
{
	switch (how % 5) {
	case 0:
		guest_recover(&guest);
		break;
	case 1:
		guest_comreset(&guest);
		break;
	case 2:
		guest_software_reset(&guest);
		break;
	case 3:
		guest_hba_reset(&guest);
		break;
	default:
		guest_stop(&guest);
		break;
	}
}

static void do_one(struct input *in)
{
	uint32_t what = (uint32_t)take(in, 1), slot;

	switch (what % 12) {
	case 0:
		access_register(in, true);
		break;
	case 1:
		access_register(in, false);
		break;
	case 2:
		take_memory(in, machine.bus.ram + RAM_FIRST, RAM_BYTES);
		break;
	case 3:
	case 4:
		command(in);
		break;
	case 5:
		hba_fetch(&machine.hba, 0);
		break;
	case 6:
	case 7:
		slot = (uint32_t)take(in, 1);
		while (what & 0x80 && hba_fetch(&machine.hba, 0) >= 0)
			;
		if (what % 12 == 6)
			hba_move(&machine.hba, 0, slot % 32);
		else
			hba_finish(&machine.hba, 0, slot % 32);
		break;
	case 8:
		hba_run(&machine.hba);
		break;
	case 9:
		guest_handler(&guest, what >> 7);
		break;
	case 10:
		guest_poll(&guest, what >> 7);
		break;
	case 11:
		if (what & 0x80)
			machine.disk[0].bad_lba = take(in, 1) * 4;
		else
			reset(what >> 4);
		break;
	}
}

/* ---- what must hold ---- */

static void check_medium(void)
{
	const uint8_t *medium = machine.disk[0].medium;
	uint64_t guarded = machine_guarded_first(&machine) * 512;

	check(!memcmp(medium + guarded, first_medium + guarded, 64 * 512));
	if (!memcmp(medium, first_medium, 1024 * 512))
		return;
	for (uint64_t at = machine_a_first(&machine) * 512; at < (machine_b_last(&machine) + 1) * 512;
		at += 16)
		check(memcmp(medium + at, marker, sizeof(marker)) ||
			!disk_map_touches(&machine.map[0], at / 512, 1, SECTOR_CIPHERTEXT));
}

static void check_works(void)
{
	uint64_t lba = machine_a_first(&machine) + 3;
	uint8_t expected[512];

	machine.disk[0].bad_lba = UINT64_MAX;
	check(guest_hba_reset(&guest));
	machine_plain(&machine, 0, lba, 1, expected);
	check(guest_read(&guest, true, lba, 1, buffers));
	check(!memcmp(machine_pointer(&machine, buffers), expected, sizeof(expected)));
	check(guest_read(&guest, false, lba, 1, buffers + 4096));
	check(!memcmp(machine_pointer(&machine, buffers + 4096), expected, sizeof(expected)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = {data, bytes};

	if (!first_arena)
		set_up();
	start_again();
	for (int i = 0; i < MAX_DOINGS && in.bytes; i++)
		do_one(&in);
	check_medium();
	check_works();
	check(!machine.bus.faults);
	check(!machine.disk[0].dangerous);
	return 0;
}
