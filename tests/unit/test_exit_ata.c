/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of an ATA controller as the guest reaches them, in both modes, and while it moves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/mediator.h"
#include "tests/core/machine.h"

#define FUNCTION  (0x80000000u | FUNCTION_DEVICE << 11 | FUNCTION_NUMBER << 8)
#define DATA	  0x1f0u
#define INTERFACE 0x09u

static struct boot_info info;
static uint8_t first_command = 7; /* what the firmware left */
static uint16_t vendor = 0x8086;

static uint8_t command(void)
{
	return platform.config[PCI_COMMAND];
}

/* The mediator takes over a controller with this programming interface; what mediators_init() says. */
static int start(uint8_t interface, uint8_t port)
{
	const struct machine machine = {.cpus = 2};
	const struct boot_volume volume = {.controller = BOOT_CONTROLLER_ATA, .pci_device = FUNCTION_DEVICE,
		.pci_function = FUNCTION_NUMBER, .port = port, .lba_bytes = 512, .sector_bytes = 512, .first_lba = 2048,
		.last_lba = 4095, .header_first_lba = 64, .header_last_lba = 127};

	assert_int_equal(machine_start(&machine), 0);
	memcpy(platform.config, &vendor, 2);
	platform.config[PCI_COMMAND] = first_command;
	platform.config[INTERFACE] = interface;
	platform.config[INTERFACE + 1] = platform.config[INTERFACE + 2] = 1;
	for (unsigned i = 0; i < 5; i++)
		memcpy(platform.config + PCI_BAR(i), &(uint32_t){0xb001 + 0x400 * i}, 4);
	info.volumes = 1;
	info.volume[0] = volume;
	return mediators_init(&info);
}

static void config_out(unsigned offset, unsigned size, uint32_t value)
{
	guest_out(0, 0xcf8, 4, FUNCTION | (offset & ~3u));
	guest_out(1, (uint16_t)(0xcfc + offset % 4), size, value);
}

/* The PRD table's address never reaches the device as the guest has it. */
static bool is_bus_master(uint16_t first)
{
	unsigned before = platform_port_writes(first + 4, 4, 0x12345678);

	guest_out(0, first + 4, 4, 0x12345678);
	if (platform_port_writes(first + 4, 4, 0x12345678) != before)
		return false;
	assert_int_equal(guest_in(1, first + 4, 4), 0x12345678);
	return true;
}

/* The data register has nothing to give. */
static bool is_data(uint16_t port)
{
	platform.in[port] = 0x12;
	platform.in[port + 1] = 0x34;
	return guest_in(0, port, 2) == 0xffff;
}

/* Device Control: a register beside it is somebody else's. */
static bool is_control(uint16_t port)
{
	unsigned reads = platform.port_reads;

	guest_in(0, port + 1, 1);
	assert_int_equal(platform.port_reads, reads + 1);
	/* A reset has the mediator look at the bus master before it goes to the device. */
	guest_out(0, port, 1, 0x04);
	return platform_port_writes(port, 1, 0x04) == 1 && platform.port_reads > reads + 1;
}

MACHINE_TEST(test_compatible)
{
	assert_int_equal(start(0x80, 0), 0);
	assert_int_equal(command() & 7, 5); /* registers in memory stay off */
	assert_true(is_data(0x1f0) && is_data(0x170));
	assert_true(is_control(0x3f6) && is_control(0x376));
	assert_true(is_bus_master(0xc001 - 1) && is_bus_master(0xc008));
	assert_false(is_bus_master(0xc010));
	assert_false(is_data(0xb000));
	/* Status is the drive's; a wide access is made of bytes. */
	platform.in[0x1f7] = 0x50;
	assert_int_equal(guest_in(0, 0x1f7, 1), 0x50);
	platform.in[0x1f6] = 0xe0;
	assert_int_equal(guest_in(0, 0x1f6, 2), 0x50e0);
}

/* A string of the data register is one exit; of another register it is what it is. */
MACHINE_TEST(test_strings)
{
	const uint8_t code[] = {0xf3, 0x66, 0x6d}, out[] = {0xf3, 0x66, 0x6f};
	struct vcpu *vcpu = cpus[0].vcpu;
	uint64_t rip;

	assert_int_equal(start(0x80, 0), 0);
	vcpu = cpus[0].vcpu;
	rip = vcpu->rip;
	for (unsigned port = DATA; port <= DATA + 2; port += 2) {
		platform.in[DATA + 2] = 0x11;
		platform.in[DATA + 3] = 0x22;
		guest_code(0, code, 3);
		vcpu->gpr[7] = RAM + 0x20000;
		vcpu->gpr[1] = 256;
		cpu_exit(&cpus[0], 0x7b, port << 16 | 2 << 4 | 4 | 8 | 1, rip + 3);
		assert_int_equal(vcpu->gpr[1], 0);
		assert_int_equal(*(uint16_t *)(RAM + 0x20000 + 510), port == DATA ? 0xffff : 0x2211);
		vcpu->rip = rip;
		guest_code(0, out, 3);
		vcpu->gpr[6] = RAM + 0x20000;
		vcpu->gpr[1] = 2;
		*(uint32_t *)(RAM + 0x20000) = 0x04030201;
		cpu_exit(&cpus[0], 0x7b, port << 16 | 2 << 4 | 4 | 8, rip + 3);
		assert_int_equal(vcpu->gpr[1], 0);
		assert_int_equal(platform_port_writes(port, 1, 0x01), port != DATA);
		vcpu->rip = rip;
	}
	assert_int_equal(platform_port_writes(DATA, 2, 0x0201), 0);
}

MACHINE_TEST(test_bus_master_moves)
{
	assert_int_equal(start(0x80, 0), 0);
	config_out(PCI_BAR(4), 4, 0xd001);
	assert_true(is_bus_master(0xd000) && is_bus_master(0xd008));
	assert_false(is_bus_master(0xc000));
	assert_true(is_data(0x1f0));
	/* Sizing: nothing is decoded meanwhile. */
	config_out(PCI_BAR(4), 4, UINT32_MAX);
	assert_int_equal(command() & 1, 0);
	assert_false(is_bus_master(0xd000));
	config_out(PCI_BAR(4), 4, 0xd001);
	assert_int_equal(command() & 1, 1);
	assert_true(is_bus_master(0xd000));
	/* Onto the configuration ports, another hook's: refused until it is moved again. At 0: nowhere. */
	const uint32_t refused[] = {0xcf1, 0x1f1, 1, 0x10001, 0xd000};

	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		config_out(PCI_BAR(4), 4, refused[i]);
		assert_int_equal(command() & 1, 0);
		assert_false(is_bus_master(0xd000));
		config_out(PCI_COMMAND, 2, 7);
		assert_int_equal(command() & 7, 4);
		assert_int_equal(guest_in(0, 0xcf8, 4) & 0xffffff00, FUNCTION);
	}
	config_out(PCI_BAR(4), 4, 0xc001);
	assert_int_equal(command() & 7, 5);
	assert_true(is_bus_master(0xc000) && is_bus_master(0xc008) && is_data(0x170));
}

/* As nobody: reads are ones, and nothing that is written reaches the device, which would take it. */
static void expect_nobody(uint16_t command_block, uint16_t control)
{
	unsigned writes = platform.writes, reads = platform.port_reads;

	for (unsigned i = 0; i < 8; i++) {
		platform.in[command_block + i] = 0x50;
		assert_int_equal(guest_in(i & 1, (uint16_t)(command_block + i), 1), 0xff);
		guest_out(i & 1, (uint16_t)(command_block + i), 1, 0x30);
	}
	platform.in[control] = 0x50;
	assert_int_equal(guest_in(0, control, 1), 0xff);
	guest_out(0, control, 1, 4);
	assert_int_equal(guest_in(0, command_block, 2), 0xffff);
	guest_out(0, command_block, 4, 0x12345678);
	assert_int_equal(platform.writes, writes);
	assert_int_equal(platform.port_reads, reads);
}

/* The guest switches the ports off and on, by ports and by ECAM. The old ones may answer all the same. */
MACHINE_TEST(test_decoding)
{
	assert_int_equal(start(0x80, 2), 0);
	config_out(PCI_COMMAND, 2, 4);
	expect_nobody(0x1f0, 0x3f6);
	expect_nobody(0x170, 0x376);
	assert_false(is_bus_master(0xc000));
	/* The same where the bus master is nowhere. */
	config_out(PCI_COMMAND, 2, 5);
	config_out(PCI_BAR(4), 4, UINT32_MAX);
	expect_nobody(0x1f0, 0x3f6);
	config_out(PCI_BAR(4), 4, 0xc001);
	assert_true(guest_write(1, ECAM + (FUNCTION_DEVICE << 15) + (FUNCTION_NUMBER << 12) + PCI_COMMAND, 2, 5));
	assert_int_equal(command() & 7, 5);
	assert_true(is_data(0x1f0) && is_bus_master(0xc000));
}

/*
 * A reset of the bus clears the command register, without a write that is watched. What
 * the guest writes then is not taken for a move of ports that it wants decoded.
 */
MACHINE_TEST(test_bus_reset)
{
	assert_int_equal(start(0x80, 2), 0);
	platform.config[PCI_COMMAND] = 0;
	memset(platform.config + PCI_BAR(0), 0, 24);
	config_out(PCI_BAR(4), 4, 0xd001);
	assert_int_equal(command() & 1, 0);
	expect_nobody(0x1f0, 0x3f6);
	config_out(PCI_COMMAND, 2, 5);
	assert_int_equal(command() & 7, 5);
	assert_true(is_bus_master(0xd000) && is_data(0x1f0) && is_control(0x3f6));
	assert_false(is_bus_master(0xc000));
	/* One that is found when the ports are switched on again. */
	platform.config[PCI_COMMAND] = 0;
	memset(platform.config + PCI_BAR(4), 0, 4);
	config_out(PCI_COMMAND, 2, 5);
	assert_int_equal(command() & 1, 0);
	config_out(PCI_BAR(4), 4, 0xc001);
	assert_int_equal(command() & 1, 1);
	assert_true(is_bus_master(0xc000));
}

/* Each write by ports and by ECAM, and whether the device of Intel's, or of nobody known, may see it. */
static void expect_configuration(bool known)
{
	static const struct {
		uint16_t offset;
		uint8_t size;
		bool timing, header;
	} writes[] = {{0x3c, 1, .header = true}, {0x40, 4, .timing = true}, {0x44, 1, .timing = true},
		{0x48, 1, .timing = true}, {0x4a, 2, .timing = true}, {0x54, 2, .timing = true}, {0x92, 2, .timing = true},
		{0x46, 4, .timing = false}, {0x4c, 4, .timing = false}, {0x52, 4, .timing = false}, {0x56, 4, .timing = false},
		{0x90, 1, .timing = false}, {0x90, 4, .timing = false}, {0x92, 4, .timing = false}, {0x3e, 4, .timing = false},
		{0xf8, 4, .timing = false}, {0xff, 1, .timing = false}};
	const uint64_t page = ECAM + (FUNCTION_DEVICE << 15) + (FUNCTION_NUMBER << 12);

	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		uint8_t *byte = &platform.config[writes[i].offset];
		uint8_t expected = writes[i].header || (known && writes[i].timing) ? 0x5a : 0;

		*byte = 0;
		if (writes[i].offset % 4 + writes[i].size <= 4) {
			config_out(writes[i].offset, writes[i].size, 0x5a5a5a5a);
			assert_int_equal(*byte, expected);
		}
		*byte = 0;
		assert_true(guest_write(1, page + writes[i].offset, writes[i].size, 0x5a5a5a5a));
		assert_int_equal(*byte, expected);
	}
}

/* Behind the header the guest sets the timing of a controller of Intel's, and nothing else. */
MACHINE_TEST(test_configuration)
{
	assert_int_equal(start(0x80, 0), 0);
	expect_configuration(true);
}

MACHINE_TEST(test_configuration_unknown)
{
	vendor = 0x1106;
	assert_int_equal(start(0x80, 0), 0);
	expect_configuration(false);
}

MACHINE_TEST(test_native)
{
	assert_int_equal(start(0x85, 3), 0);
	assert_true(is_data(0xb000) && is_data(0xb800));
	assert_true(is_control(0xb402) && is_control(0xbc02));
	assert_true(is_bus_master(0xc000));
	assert_false(is_data(0x1f0));
	/* The primary channel goes back to the old ports: the programming interface is followed. */
	config_out(INTERFACE, 1, 0x84);
	assert_true(is_data(0x1f0) && is_control(0x3f6) && is_data(0xb800));
	assert_false(is_data(0xb000));
	config_out(INTERFACE, 1, 0x85);
	config_out(PCI_BAR(0), 4, 0xe001);
	assert_true(is_data(0xe000) && is_control(0xb402));
	assert_false(is_data(0x1f0));
}

MACHINE_TEST(test_refused)
{
	/* There are four drives. */
	assert_int_not_equal(start(0x80, 4), 0);
}

MACHINE_TEST(test_refused_without_ports)
{
	first_command = 4;
	assert_int_not_equal(start(0x80, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compatible),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bus_master_moves),
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_bus_reset),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_configuration_unknown),
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_without_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
