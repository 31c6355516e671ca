/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the doings of a guest and of an NVMe controller: register accesses of
 * every width, memory contents, commands, completions in any order, interrupts at any
 * time, resets. Whatever happens: the device is driven as its specification says and
 * reaches only the guest's memory and the mediator's, the header partition stays as it
 * is, no plaintext reaches a volume, and afterwards a reset gives a disk that works.
 */
#include "tests/fuzz/doings.h"
#include "tests/model/guest_nvme.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define RAM_FIRST  (1u << 20) /* where nvme_machine_ram() begins */
#define RAM_BYTES  (512u * 1024)
#define BUFFER	   (64u * 1024)
#define SECTORS	   1024u
#define QUEUES	   2u

static struct nvme_machine machine, first_machine;
static struct driver driver, first_driver;
static uint8_t *first_arena, *first_ram, *first_medium;
static uint64_t buffer;

static void set_up(void)
{
	const struct nvme_machine_options options = {.sectors = SECTORS,
		.cipher_a = 4096,
		.ram_bytes = RAM_FIRST + RAM_BYTES,
		.io_queues = QUEUES};
	const struct driver_options with = {.queues = QUEUES, .doorbells = DRIVER_MEMORY, .entries = 16};

	setvbuf(stderr, NULL, _IOFBF, 1u << 16); /* the mediator's log is long */
	nvme_machine_init(&machine, &options);
	check(machine.nvme);
	machine.patience = 50;
	check(driver_start(&driver, &machine, &with));
	buffer = nvme_machine_ram(&machine, BUFFER, 4096);
	for (uint32_t at = 0; at < BUFFER; at += sizeof(marker))
		memcpy(nvme_machine_pointer(&machine, buffer + at), marker, sizeof(marker));
	first_machine = machine;
	first_driver = driver;
	first_arena = copy_of(machine.bus.arena, machine.bus.arena_bytes);
	first_ram = copy_of(machine.bus.ram + RAM_FIRST, RAM_BYTES);
	first_medium = copy_of(machine.ns[0].medium, SECTORS * 512);
}

static void start_again(void)
{
	machine = first_machine;
	driver = first_driver;
	memcpy(machine.bus.arena, first_arena, machine.bus.arena_bytes);
	memcpy(machine.bus.ram + RAM_FIRST, first_ram, RAM_BYTES);
	memcpy(machine.ns[0].medium, first_medium, SECTORS * 512);
}

/* Guest RAM mostly; the mediator's memory, where it never sends the device itself, and the edges of RAM at times. */
static uint64_t take_address(struct input *in)
{
	uint32_t value = (uint32_t)take(in, 3);
	uint64_t address;

	switch (value >> 19) {
	case 0:
		address = machine.bus.arena_base + value % 16 * 4096;
		bus_name(&machine.bus, address);
		return address;
	case 1:
		return machine.bus.ram_base + machine.bus.ram_bytes - value % 3 * 2048;
	case 2:
		return take(in, 8);
	default:
		value %= BUFFER;
		return buffer + (value & 1 ? value & ~0xfffu : value & ~3u);
	}
}

/* ---- doings ---- */

static uint32_t take_offset(struct input *in)
{
	uint32_t value = (uint32_t)take(in, 1);

	if (value < 0x80)
		return value;
	if (value < 0xe0)
		return nvme_doorbell((value - 0x80) / 8, (value - 0x80) / 4 % 2, driver.stride);
	return (uint32_t)take(in, 2) % 0x2100;
}

static void access_register(struct input *in, bool write)
{
	uint32_t offset = take_offset(in);
	unsigned size = take(in, 1) % 4, cpu = size & 1;

	if (write)
		nvme_machine_write(&machine, cpu, offset, 1u << size, take(in, 1u << size));
	else
		nvme_machine_read(&machine, cpu, offset, 1u << size);
}

static void command(struct input *in)
{
	static const uint8_t io[8] = {2, 1, 2, 1, 9, 0, 0x0c, 8}, admin[8] = {6, 2, 9, 0x0a, 8, 0x0c, 1, 5};
	uint32_t how = (uint32_t)take(in, 1);
	unsigned queue = (how & 3) % (QUEUES + 1);
	struct nvme_command c = driver_transfer(false, how & 4 ? 1 : (uint32_t)take(in, 1), take(in, 2) % 1100,
		1 + (uint32_t)take(in, 1) % 64);

	c.opcode = how & 8 ? (uint8_t)take(in, 1) : queue ? io[how >> 4 & 7] : admin[how >> 4 & 7];
	c.cid = (uint16_t)take(in, 1);
	c.prp1 = take_address(in);
	c.prp2 = take_address(in);
	if (!queue) {
		c.cdw10 = (uint32_t)take(in, 4);
		c.cdw11 = (uint32_t)take(in, 4);
	}
	if (how & 0x80) {
		c.cdw12 = (uint32_t)take(in, 4);
		c.flags = (uint8_t)take(in, 1);
		c.metadata = take_address(in);
	}
	if (driver_enter(&driver, queue, &c) && how & 0x10)
		driver_ring(&driver, how >> 5 & 1, queue);
}

static void device(struct input *in, uint32_t how)
{
	unsigned place = (unsigned)take(in, 1) % 8;

	switch (how % 5) {
	case 0:
		controller_fetch(&machine.controller, place % (QUEUES + 1));
		break;
	case 1:
		controller_move(&machine.controller, place);
		break;
	case 2:
		controller_post(&machine.controller, place);
		break;
	case 3:
		controller_event(&machine.controller, (uint8_t)place % 3, 0, 1);
		break;
	default:
		controller_run(&machine.controller);
		break;
	}
}

static void interrupt(struct input *in, uint32_t how)
{
	unsigned cpu = how & 1, vector = (unsigned)take(in, 1) % (QUEUES + 1);

	switch (how >> 1 & 7) {
	case 0:
		nvme_machine_take(&machine, cpu);
		break;
	case 1:
		nvme_machine_handle(&machine, cpu);
		break;
	case 2:
		nvme_machine_tick(&machine, cpu);
		break;
	case 3:
		machine.cpu[cpu].masked = !machine.cpu[cpu].masked;
		break;
	case 4:
		nvme_machine_route(&machine, (uint16_t)vector, (uint8_t)(1 + cpu));
		nvme_machine_routed(&machine, (uint16_t)vector, (uint8_t)(1 + cpu));
		break;
	case 5:
		driver_poll(&driver, cpu, vector);
		break;
	default:
		nvme_machine_arrive(&machine, (uint16_t)vector, cpu);
		break;
	}
}

static void administer(uint32_t how)
{
	unsigned queue = 1 + how % QUEUES;

	switch (how / QUEUES % 4) {
	case 0:
		driver_begin(&driver);
		break;
	case 1:
		driver_delete_sq(&driver, queue);
		break;
	case 2:
		driver_delete_cq(&driver, queue);
		break;
	default:
		driver_create_cq(&driver, queue);
		driver_create_sq(&driver, queue);
		break;
	}
}

static void do_one(struct input *in)
{
	uint32_t what = (uint32_t)take(in, 1), how = (uint32_t)take(in, 1);

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
	case 5:
		command(in);
		break;
	case 6:
	case 7:
		device(in, how);
		break;
	case 8:
	case 9:
		interrupt(in, how);
		break;
	case 10:
		administer(how);
		break;
	default:
		machine.ns[0].bad_lba = how * 4;
		break;
	}
}

/* ---- what must hold ---- */

static void check_medium(void)
{
	const uint8_t *medium = machine.ns[0].medium;
	uint64_t guarded = (layout_a_last(SECTORS) + 1) * 512;

	check(!memcmp(medium + guarded, first_medium + guarded, LAYOUT_GUARDED * 512));
	if (!memcmp(medium, first_medium, SECTORS * 512))
		return;
	for (uint64_t at = LAYOUT_A_FIRST * 512; at < (layout_b_last(SECTORS) + 1) * 512; at += 16)
		check(memcmp(medium + at, marker, sizeof(marker)) ||
			!disk_map_touches(&machine.map, at / 512, 1, SECTOR_CIPHERTEXT));
}

static void check_works(void)
{
	struct layout layout = nvme_machine_layout(&machine, 1);
	uint64_t lba = LAYOUT_A_FIRST + 3;
	uint8_t expected[512];

	machine.ns[0].bad_lba = UINT64_MAX;
	machine.cpu[0].masked = machine.cpu[1].masked = false;
	check(driver_begin(&driver));
	layout_plain(&layout, lba, 1, expected);
	check(!driver_read(&driver, 1, 1, lba, 1, buffer));
	check(!memcmp(nvme_machine_pointer(&machine, buffer), expected, sizeof(expected)));
	check(!driver_read(&driver, 2, 1, lba, 1, buffer + 4092));
	check(!memcmp(nvme_machine_pointer(&machine, buffer + 4092), expected, sizeof(expected)));
	check(!nvme_machine_watched(&machine));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input in = {data, bytes};
	unsigned dangerous;

	if (!first_arena)
		set_up();
	start_again();
	for (int i = 0; i < MAX_DOINGS && in.bytes; i++)
		do_one(&in);
	check_medium();
	check_works();
	check(!machine.bus.faults);
	dangerous = machine.controller.dangerous;
	for (unsigned i = 0; i < NVME_MACHINE_NAMESPACES; i++)
		dangerous += machine.ns[i].dangerous;
	check(!dangerous);
	return 0;
}
