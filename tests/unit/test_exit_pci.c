/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space as the guest reaches it: by ports and by ECAM, in every width, watched and hidden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/pci.h"
#include "tests/core/machine.h"

#define FUNCTION      (0x80000000u | FUNCTION_DEVICE << 11 | FUNCTION_NUMBER << 8)
#define FUNCTION_PAGE (ECAM + (FUNCTION_DEVICE << 15) + (FUNCTION_NUMBER << 12))

static bool reachable = true; /* what the watch answers */
static bool wanted;
static unsigned times;
static uint32_t command_seen, bar_seen; /* at the last call */

static uint16_t command(void)
{
	return (uint16_t)(platform.config[4] | platform.config[5] << 8);
}

static uint32_t bar(void)
{
	uint32_t value;

	memcpy(&value, platform.config + PCI_BAR(5), 4);
	return value;
}

static bool moved(void *context, bool memory)
{
	assert_ptr_equal(context, &times);
	times++;
	wanted = memory;
	command_seen = command();
	bar_seen = bar();
	return reachable;
}

static unsigned warned;
static bool was_reset;

/* While the registers still answer. */
static void moving(void *context)
{
	assert_ptr_equal(context, &times);
	assert_true(was_reset || command() & PCI_COMMAND_MEMORY);
	warned++;
}

static unsigned holds, releases;

/* Around everything, with what is decoded as it is before and afterwards. */
static void hold(void *context)
{
	assert_ptr_equal(context, &times);
	assert_int_equal(holds++, releases);
}

static void release(void *context)
{
	assert_ptr_equal(context, &times);
	assert_int_equal(holds, ++releases);
	assert_int_equal(!!(command() & PCI_COMMAND_MEMORY), reachable && wanted);
}

static void start(bool without_ecam)
{
	const struct machine machine = {.cpus = 2, .without_ecam = without_ecam};
	const struct pci_watch watch = {.device = FUNCTION_DEVICE, .function = FUNCTION_NUMBER, .context = &times,
		.moved = moved, .moving = moving, .hold = hold, .release = release, .command_off = PCI_COMMAND_IO | 0x400};

	assert_int_equal(machine_start(&machine), 0);
	platform.config[5] = 4;
	assert_int_equal(pci_watch(&watch), 0);
	times = 0;
}

/* From the watch on the bits are clear; a write at any place and width leaves them so, and the rest goes through. */
MACHINE_TEST(test_command_by_ports)
{
	static const struct {
		uint16_t place, port;
		uint8_t size;
		uint32_t value;
		uint16_t after;
		uint8_t calls;
	} writes[] = {
		{4, 0xcfc, 1, 0xff, 0x00fe, 1},	      {4, 0xcfd, 1, 0xff, 0xfbfe, 0},  {4, 0xcfc, 2, 0x0405, 0x0004, 1},
		{4, 0xcfc, 4, 0xffffffff, 0xfbfe, 1}, {4, 0xcfc, 2, 0x0000, 0x0000, 1},
	};

	start(false);
	assert_int_equal(command(), 6);
	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		times = 0;
		guest_out(0, 0xcf8, 4, FUNCTION | writes[i].place);
		guest_out(1, writes[i].port, writes[i].size, writes[i].value);
		assert_int_equal(command(), writes[i].after);
		assert_int_equal(times, writes[i].calls);
		assert_int_equal(guest_in(0, 0xcf8, 4), FUNCTION | writes[i].place);
	}
	/* It begins below the data port: only its last two bytes are data. */
	guest_out(0, 0xcfa, 4, 0xffff0000);
	assert_int_equal(command(), 0xfbfe);
	/* It begins in another double word's half and does not reach this one. */
	guest_out(0, 0xcf8, 4, FUNCTION);
	guest_out(0, 0xcfe, 4, 0xffffffff);
	assert_int_equal(command(), 0xfbfe);
	assert_int_equal(guest_in(0, 0xcfc, 4), 0);
}

MACHINE_TEST(test_command_by_ecam)
{
	static const struct {
		uint32_t offset;
		uint8_t size;
		uint64_t value;
		uint16_t after;
	} writes[] = {
		{4, 1, 0xff, 0x00fe}, {5, 1, 0xff, 0xfbfe}, {4, 2, 0x0405, 0x0004}, {4, 4, UINT32_MAX, 0xfbfe},
		{4, 8, 0, 0}, {0, 8, UINT64_MAX, 0xfbfe}, {3, 2, 0, 0xfb00}, {2, 4, UINT32_MAX, 0xfbfe}, {1, 8, 0, 0},
		{5, 4, UINT32_MAX, 0xfb00},
	};
	uint64_t value;

	start(false);
	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		times = 0;
		assert_true(guest_write(1, FUNCTION_PAGE + writes[i].offset, writes[i].size, writes[i].value));
		assert_int_equal(command(), writes[i].after);
		assert_int_equal(times, writes[i].offset <= 4);
	}
	platform.config[0x40] = 0x5a;
	assert_true(guest_read(0, FUNCTION_PAGE + 0x40, 8, &value));
	assert_int_equal(value, 0x5a);
}

/* Nobody reaches the registers at a place that has not been followed yet, or cannot be. */
MACHINE_TEST(test_decoding)
{
	start(false);
	guest_out(0, 0xcf8, 4, FUNCTION | PCI_BAR(5));
	guest_out(0, 0xcfc, 4, 0xfb000000);
	assert_int_equal(bar_seen, 0xfb000000);
	assert_int_equal(command_seen, 4);
	assert_true(wanted);
	assert_int_equal(command(), 6);
	reachable = false;
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_BAR(5) + 3, 1, 0xfa));
	assert_int_equal(bar(), 0xfa000000);
	assert_int_equal(command(), 4);
	/* The guest cannot turn it on by itself ... */
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_COMMAND, 2, 6));
	assert_int_equal(command_seen, 4);
	assert_int_equal(command(), 4);
	/* ... until it is moved to where it can be followed. Turning it off comes before it is forgotten. */
	reachable = true;
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_BAR(5), 4, 0xfb000000));
	assert_int_equal(command_seen, 4);
	assert_int_equal(command(), 6);
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_COMMAND, 1, 4));
	assert_false(wanted);
	assert_int_equal(command_seen, 4);
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_BAR(5), 4, 0xfc000000));
	assert_int_equal(command(), 4);
	/* A write of the command that leaves it on does not turn it off in between. */
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_COMMAND, 2, 2));
	assert_int_equal(command(), 2);
	assert_true(guest_write(0, FUNCTION_PAGE + PCI_COMMAND, 2, 6));
	assert_int_equal(command_seen, 6);
}

MACHINE_TEST(test_hidden)
{
	uint64_t value;

	start(false);
	platform.config[0x40] = 0x5a;
	guest_out(0, 0xcf8, 4, FUNCTION | 0x40);
	assert_int_equal(guest_in(0, 0xcfc, 1), 0x5a);
	assert_int_equal(pci_hide(0, 3, 1), 0);
	guest_out(0, 0xcf8, 4, 0x80000000u | 3 << 11 | 1 << 8);
	platform.config_address = FUNCTION | 0x40; /* so that what is passed is seen */
	assert_int_equal(guest_in(0, 0xcfc, 4), UINT32_MAX);
	guest_out(0, 0xcfc, 4, 0);
	assert_int_equal(platform.config[0x40], 0x5a);
	times = platform.nowhere = 0;
	assert_true(guest_read(0, ECAM + (3 << 15) + (1 << 12) + 0x40, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_true(guest_write(0, ECAM + (3 << 15) + (1 << 12) + 0x40, 4, 0));
	assert_int_equal(platform.nowhere, 0);
	assert_int_equal(times, 0);
}

/* Whoever follows the registers hears of it before they stop answering, and only then. */
MACHINE_TEST(test_moving)
{
	start(false);
	warned = 0;
	guest_out(0, 0xcf8, 4, FUNCTION | 4);
	guest_out(0, 0xcfc, 2, 0x0002);
	assert_int_equal(warned, 0);
	guest_out(0, 0xcfc, 2, 0x0000);
	assert_int_equal(warned, 1);
	guest_out(0, 0xcfc, 2, 0x0002);
	guest_out(0, 0xcf8, 4, FUNCTION | PCI_BAR(5));
	guest_out(0, 0xcfc, 4, 0xfd001000);
	assert_int_equal(warned, 2);
	reachable = false;
	guest_out(0, 0xcfc, 4, 0xfd002000);
	guest_out(0, 0xcfc, 4, 0xfd003000);
	assert_int_equal(warned, 3);
}

/* A reset of the bus clears the register unseen: whoever follows is told, and nothing is decoded until the guest asks. */
MACHINE_TEST(test_reset)
{
	start(false);
	warned = holds = releases = 0;
	platform.config[4] = platform.config[5] = 0;
	was_reset = true;
	guest_out(0, 0xcf8, 4, FUNCTION | PCI_BAR(5));
	guest_out(0, 0xcfc, 4, 0xfd001000);
	assert_int_equal(warned, 1);
	assert_false(wanted);
	assert_int_equal(command(), 0);
	guest_out(0, 0xcf8, 4, FUNCTION | 4);
	guest_out(0, 0xcfc, 2, 0x0002);
	assert_true(wanted);
	assert_int_equal(command(), 2);
	assert_int_equal(warned, 1);
	/* Other registers are nobody's move. */
	guest_out(0, 0xcf8, 4, FUNCTION | 0x3c);
	guest_out(0, 0xcfc, 1, 9);
	assert_int_equal(holds, 2);
	assert_int_equal(releases, 2);
}

/* Our own reads leave the address that the guest has written; parts of it are not the address. */
MACHINE_TEST(test_address)
{
	start(true);
	guest_out(0, 0xcf8, 4, FUNCTION | 0x24);
	assert_int_equal(pci_read(0, FUNCTION_DEVICE, FUNCTION_NUMBER, 4), 6);
	assert_int_equal(guest_in(0, 0xcf8, 4), FUNCTION | 0x24);
	guest_out(0, 0xcf8, 1, 0x04);
	guest_out(0, 0xcfc, 4, UINT32_MAX);
	assert_int_equal(bar(), 0xfffff000);
	assert_int_equal(command(), 6);
}

MACHINE_TEST(test_table_is_full)
{
	unsigned places = 0;

	start(true);
	while (places < 64 && !pci_hide(0, (uint8_t)(places / 8), places % 8))
		places++;
	assert_int_equal(places, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_by_ports),
		cmocka_unit_test(test_command_by_ecam),
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_table_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
