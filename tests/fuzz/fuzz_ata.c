/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the doings of a guest and of the drives: accesses of every port and width, strings, memory contents, commands of both
 * drives, steps of the device, resets, moves of the ports. Whatever happens: the device
 * reaches only the guest's memory and the mediator's, no rule of the ports is broken
 * towards the protected drive, the header partition and the pinned bytes stay as they
 * are, no plaintext reaches a volume, and afterwards a reset gives a disk that works.
 */
#include "tests/fuzz/doings.h"
#include "tests/model/guest_ata.h"
#include "tests/model/layout.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define RAM_FIRST (1u << 20) /* where ata_machine_ram() begins */
#define RAM_BYTES (256u * 1024)
#define SECTORS	  1024u
#define GUARDED	  (SECTORS / 2)
#define BUFFERS	  65536u
#define STATE	  (64u * 1024) /* of the arena, what decides anything; behind it lie table and bounce memory */
#define PINNED	  20u

static struct ata_machine machine, first_machine;
static struct guest_ata guest, first_guest;
static uint8_t *first_arena, *first_ram, *first_medium;
static uint64_t buffers;
static struct disk_pin pin;

static void set_up(void)
{
	const struct ata_machine_options options = {.sectors = SECTORS, .cipher_a = 4096, .second = SECOND_PACKET};

	setvbuf(stderr, NULL, _IOFBF, 1u << 16); /* the mediator's log is long */
	ata_machine_init(&machine, &options);
	check(machine.ata);
	guest_ata_start(&guest, &machine, 0, true);
	buffers = ata_machine_ram(&machine, BUFFERS, BUFFERS);
	for (uint32_t at = 0; at < BUFFERS; at += sizeof(marker))
		memcpy(ata_machine_pointer(&machine, buffers + at), marker, sizeof(marker));
	pin = (struct disk_pin){.lba = PINNED, .offset = 3, .bytes = 40};
	memcpy(pin.value, machine.disk[0].medium + PINNED * 512 + 3, 40);
	check(!disk_map_pin(&machine.map[0], &pin));
	first_machine = machine;
	first_guest = guest;
	first_arena = copy_of(machine.bus.arena, STATE);
	first_ram = copy_of(machine.bus.ram + RAM_FIRST, RAM_BYTES);
	first_medium = copy_of(machine.disk[0].medium, SECTORS * 512);
}

static void start_again(void)
{
	channel_free(&machine.channel);
	machine = first_machine;
	guest = first_guest;
	memcpy(machine.bus.arena, first_arena, STATE);
	memcpy(machine.bus.ram + RAM_FIRST, first_ram, RAM_BYTES);
	memcpy(machine.disk[0].medium, first_medium, SECTORS * 512);
}

/* Guest RAM mostly; the mediator's memory and the edges of RAM at times. */
static uint32_t take_address(struct input *in)
{
	uint32_t value = (uint32_t)take(in, 3);
	uint32_t address;

	switch (value >> 20) {
	case 0:
		/* Where the mediator itself never sends the device: not the first byte of its table or bounce memory. */
		address = (uint32_t)machine.bus.arena_base + ((value % 0x40000 & ~15u) | 6);
		bus_name(&machine.bus, address);
		return address;
	case 1:
		return (uint32_t)machine.bus.ram_base - 0x800 + value % 0x1000;
	case 2:
		return (uint32_t)take(in, 4);
	default:
		return (uint32_t)buffers + value % BUFFERS;
	}
}

/* ---- doings ---- */

static void access_port(struct input *in, bool write)
{
	uint32_t where = (uint32_t)take(in, 1), port = where % 32, size = 1u << where / 32 % 3;

	if (write)
		ata_machine_out(&machine, port, size, (uint32_t)take(in, size));
	else
		ata_machine_in(&machine, port, size);
}

static void string(struct input *in, bool write)
{
	uint32_t bytes = 4 * (1 + (uint32_t)take(in, 1) * 5);
	uint8_t data[5200];

	if (!write) {
		ata_machine_ins(&machine, data, bytes);
		return;
	}
	for (uint32_t i = 0; i < bytes; i += sizeof(marker))
		memcpy(data + i, marker, sizeof(marker));
	ata_machine_outs(&machine, data, bytes);
}

static void table(struct input *in)
{
	struct ata_piece piece[8];
	uint32_t how = (uint32_t)take(in, 1), pieces = 1 + how % 8;

	for (uint32_t i = 0; i < pieces; i++) {
		piece[i].address = take_address(in);
		piece[i].bytes = (uint32_t)take(in, 2);
		if (how & 0x80) {
			piece[i].address &= ~511u;
			piece[i].bytes = 512 + piece[i].bytes % 8 * 512;
		}
	}
	guest_ata_table(&guest, piece, pieces);
	ata_machine_out(&machine, PORT_BM_PRD, 4, how & 0x40 ? take_address(in) : guest.table);
}

static void command(struct input *in)
{
	static const uint8_t opcodes[16] = {0x20, 0x30, 0x25, 0x35, 0xc8, 0xca, 0xc4, 0xc5, 0x24, 0x34, 0xec,
		0x06, 0x2f, 0xea, 0xb0, 0xc6};
	uint32_t how = (uint32_t)take(in, 1);
	struct guest_ata_command c = {.opcode = opcodes[how % 16], .wide = how & 0x10};

	if (how & 0x20)
		c.opcode = (uint8_t)take(in, 1);
	c.lba = take(in, 2) % (SECTORS + 40);
	c.count = (uint16_t)(take(in, 1) % 24);
	c.features = c.opcode == 0x06 ? 1 : (uint16_t)(how >> 6);
	if (c.opcode == 0xec || how & 0x40)
		c.count = c.count % 2 + 1;
	guest.drive = how >> 7;
	guest_ata_load(&guest, &c);
	guest_ata_out(&guest, PORT_COMMAND, c.opcode);
}

/* Bad sectors, resets after which the other drive answers, ports that do not answer for a while. */
static void mishap(struct input *in, uint32_t which)
{
	switch (which) {
	case 0:
		guest_ata_reset(&guest);
		break;
	case 1:
		machine.channel.keeps_unit = !machine.channel.keeps_unit;
		break;
	case 2:
		machine.disk[0].bad_lba = take(in, 1) * 4;
		break;
	case 3:
		ata_hold(machine.ata);
		ata_detach(machine.ata);
		ata_release(machine.ata);
		access_port(in, true);
		access_port(in, false);
		ata_hold(machine.ata);
		ata_attach(machine.ata);
		ata_release(machine.ata);
		break;
	}
}

static void do_one(struct input *in)
{
	uint32_t what = (uint32_t)take(in, 1);

	switch (what % 14) {
	case 0:
		access_port(in, true);
		break;
	case 1:
		access_port(in, false);
		break;
	case 2:
		take_memory(in, machine.bus.ram + RAM_FIRST, RAM_BYTES);
		break;
	case 3:
	case 4:
		command(in);
		break;
	case 5:
		table(in);
		break;
	case 6:
	case 7:
		string(in, what % 14 == 7);
		break;
	case 8:
	case 9:
		channel_step(&machine.channel);
		break;
	case 10:
		guest_ata_in(&guest, what & 0x80 ? PORT_COMMAND : PORT_CONTROL);
		break;
	case 11:
		guest_ata_bus_master(&guest, what & 0x80, what & 0x40);
		break;
	case 12:
		mishap(in, what >> 6);
		break;
	case 13:
		guest.drive = what >> 7;
		guest_ata_select(&guest);
		break;
	}
}

/* ---- what must hold ---- */

static void check_medium(void)
{
	const uint8_t *medium = machine.disk[0].medium;
	const uint8_t *place = medium + PINNED * 512 + pin.offset;
	uint64_t last = layout_b_last(SECTORS);

	if (!memcmp(medium, first_medium, SECTORS * 512))
		return;
	/* TRIM does not write zeroes there either. */
	check(!memcmp(place, pin.value, pin.bytes));
	check(!memcmp(medium + GUARDED * 512, first_medium + GUARDED * 512, 64 * 512));
	for (uint64_t at = LAYOUT_A_FIRST * 512; at < (last + 1) * 512; at += 16)
		check(memcmp(medium + at, marker, sizeof(marker)) ||
			!disk_map_touches(&machine.map[0], at / 512, 1, SECTOR_CIPHERTEXT));
}

static void check_works(void)
{
	uint64_t lba = LAYOUT_A_FIRST + 3;
	uint8_t expected[512];

	machine.disk[0].bad_lba = UINT64_MAX;
	machine.channel.keeps_unit = false;
	guest.drive = 0;
	guest.polls = true;
	check(guest_ata_reset(&guest));
	ata_machine_plain(&machine, 0, lba, 1, expected);
	for (int dma = 0; dma < 2; dma++) {
		check(guest_ata_read(&guest, dma, dma, lba, 1, buffers + 512));
		check(!memcmp(ata_machine_pointer(&machine, buffers + 512), expected, sizeof(expected)));
	}
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
