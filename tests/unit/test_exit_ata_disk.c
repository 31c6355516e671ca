/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protected disk on ports from end to end: instructions of a guest on the model
 * machine, the core's hooks, the mediator in its place, and the model channel behind
 * the machine's ports.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/core/counters.h"
#include "hv/core/keys.h"
#include "hv/core/mediator.h"
#include "hv/svm/svm.h"
#include "tests/core/machine.h"
#include "tests/model/channel.h"

#define COMMAND_BLOCK 0x1f0u
#define CONTROL	      0x3f6u
#define BUS_MASTER    bus_master
#define BUFFER	      (RAM + 0x20000)
#define TABLE	      (RAM + 0x30000)
#define FIRST	      128u /* of the volume */
#define REP	      8u

static uint16_t bus_master = 0xc000;
static bool undecoded; /* something was accessed while the controller decodes no ports */
static struct bus bus;
static struct channel channel;
static struct ata_disk disk;

/* The channel's port, or -1. */
static int place(uint16_t port)
{
	if (port >= COMMAND_BLOCK && port < COMMAND_BLOCK + 8)
		return port - COMMAND_BLOCK;
	if (port == CONTROL)
		return PORT_CONTROL;
	return port >= BUS_MASTER && port < BUS_MASTER + 8 ? (int)(port - BUS_MASTER + PORT_BM_COMMAND) : -1;
}

/* ---- the other CPU's turn ---- */

static enum { WINDOW_NONE, WINDOW_ARMED, WINDOW_OPEN, WINDOW_USED, WINDOW_END } window;

static unsigned window_is(void)
{
	return __atomic_load_n(&window, __ATOMIC_SEQ_CST);
}

/* The ports are just about not to be decoded any more: the other CPU gets time for what it likes. */
static void open_window(void)
{
	if (window_is() != WINDOW_ARMED)
		return;
	__atomic_store_n(&window, WINDOW_OPEN, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 50 && window_is() == WINDOW_OPEN; i++)
		usleep(1000);
}

static bool device(bool in, uint16_t port, unsigned size, uint32_t *value)
{
	int at = place(port);

	if (!in && port == 0xcfc && size == 2 && !(*value & PCI_COMMAND_IO) && (platform.config_address & 0xfc) == PCI_COMMAND)
		open_window();
	if (at < 0)
		return false;
	/* The old ports answer all the same. */
	undecoded |= !(platform.config[PCI_COMMAND] & PCI_COMMAND_IO);
	assert_int_equal(size, at == PORT_DATA ? 2 : at == PORT_BM_PRD ? 4 : 1);
	if (at == PORT_DATA && in)
		channel_data_in(&channel, value, 1);
	else if (at == PORT_DATA)
		channel_data_out(&channel, value, 1);
	else if (in)
		*value = channel_in(&channel, (unsigned)at);
	else
		channel_out(&channel, (unsigned)at, *value);
	return true;
}

static void start(void)
{
	static struct boot_info info;
	struct boot_volume volume = {.pci_device = FUNCTION_DEVICE, .pci_function = FUNCTION_NUMBER, .lba_bytes = 512,
		.sector_bytes = 512, .first_lba = FIRST, .last_lba = 2047, .header_first_lba = 64, .header_last_lba = 127,
		.key_bytes = 64};
	const struct machine machine = {.cpus = 2, .volume = &volume};

	for (unsigned i = 0; i < sizeof(volume.key); i++)
		volume.key[i] = (uint8_t)(i * 3 + 1);
	/* The keys are made at the start; the controller is there afterwards. */
	assert_int_equal(machine_start(&machine), 0);
	platform.config[PCI_COMMAND] = 7;
	platform.config[PCI_INTERFACE] = 0x80;
	platform.config[PCI_INTERFACE + 1] = platform.config[PCI_INTERFACE + 2] = 1;
	memcpy(platform.config + PCI_BAR(4), &(uint32_t){BUS_MASTER | 1}, 4);
	bus = (struct bus){.ram = (uint8_t *)RAM, .ram_base = RAM, .ram_bytes = RAM_BYTES, .arena = (uint8_t *)OWN_MEMORY,
		.arena_base = OWN_MEMORY, .arena_bytes = OWN_BYTES};
	channel_init(&channel, &bus);
	ata_disk_init(&disk, 512, 4096);
	channel_connect(&channel, 0, &disk);
	channel.drive[0].strict = true;
	platform.ports = device;
	info.volumes = 1;
	info.volume[0] = volume;
	info.volume[0].controller = BOOT_CONTROLLER_ATA;
	assert_int_equal(mediators_init(&info), 0);
	guest_out(0, CONTROL, 1, 0);
}

static void give(unsigned cpu, uint8_t opcode, uint32_t lba, uint8_t count)
{
	guest_out(cpu, COMMAND_BLOCK + PORT_FEATURES, 1, 0);
	guest_out(cpu, COMMAND_BLOCK + PORT_COUNT, 1, count);
	for (unsigned i = 0; i < 3; i++)
		guest_out(cpu, (uint16_t)(COMMAND_BLOCK + PORT_LBA_LOW + i), 1, lba >> 8 * i & 0xff);
	guest_out(cpu, COMMAND_BLOCK + PORT_DEVICE, 1, 0xe0);
	if (opcode == 0xc8 || opcode == 0xca) {
		guest_out(cpu, BUS_MASTER + 4, 4, TABLE);
		guest_out(cpu, BUS_MASTER, 1, opcode == 0xc8 ? BM_READS : 0);
	}
	guest_out(cpu, COMMAND_BLOCK + PORT_COMMAND, 1, opcode);
}

static uint8_t wait_for(unsigned cpu, uint8_t bits)
{
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t status = (uint8_t)guest_in(cpu, COMMAND_BLOCK + PORT_COMMAND, 1);

		if ((status & (ST_BSY | ST_DRQ)) == bits)
			return status;
	}
	fail();
	return 0;
}

/* REP INSW or REP OUTSW of a sector. */
static void sector(unsigned cpu, bool in, uint64_t address)
{
	const uint8_t code[] = {0xf3, 0x66, in ? 0x6d : 0x6f};
	struct vcpu *vcpu = cpus[cpu].vcpu;
	uint64_t rip = vcpu->rip;

	guest_code(cpu, code, sizeof(code));
	vcpu->gpr[in ? 7 : 6] = address;
	vcpu->gpr[1] = 256;
	cpu_exit(&cpus[cpu], 0x7b, COMMAND_BLOCK << 16 | 2 << 4 | 4 | REP | in, rip + sizeof(code));
	assert_int_equal(vcpu->gpr[1], 0);
	vcpu->rip = rip;
}

static void dma(unsigned cpu, bool write, uint32_t lba, uint8_t count)
{
	uint32_t *table = (uint32_t *)TABLE;

	table[0] = (uint32_t)BUFFER;
	table[1] = count * 512u | 1u << 31;
	give(cpu, write ? 0xca : 0xc8, lba, count);
	guest_out(cpu, BUS_MASTER, 1, (write ? 0 : BM_READS) | BM_RUN);
	while (!channel_take_interrupt(&channel))
		assert_true(channel_step(&channel));
	assert_int_equal(guest_in(cpu, BUS_MASTER + 2, 1) & BM_INTR, BM_INTR);
	guest_out(cpu, BUS_MASTER, 1, write ? 0 : BM_READS);
	assert_int_equal(guest_in(cpu, COMMAND_BLOCK + PORT_COMMAND, 1) & (ST_BSY | ST_DRQ | ST_ERR), 0);
	guest_out(cpu, BUS_MASTER + 2, 1, BM_INTR);
}

/* What the medium should hold of the buffer's sectors. */
static void expect_encrypted(uint32_t lba, uint32_t count)
{
	uint8_t expected[4096];

	xts_encrypt(keys_of_volume(0), lba - FIRST, 512, (void *)BUFFER, expected, count * 512);
	assert_memory_equal(disk.medium + lba * 512, expected, count * 512);
	assert_int_equal(bus.faults, 0);
}

static void fill(uint32_t bytes, uint8_t salt)
{
	for (uint32_t i = 0; i < bytes; i++)
		((uint8_t *)BUFFER)[i] = (uint8_t)(i * 5 + (i >> 8) + salt);
}

MACHINE_TEST(test_pio)
{
	start();
	fill(1024, 1);
	give(0, 0x30, 200, 2);
	for (unsigned i = 0; i < 2; i++) {
		wait_for(0, ST_DRQ);
		sector(0, false, BUFFER + 512 * i);
	}
	wait_for(0, 0);
	expect_encrypted(200, 2);
	give(1, 0x20, 200, 2);
	for (unsigned i = 0; i < 2; i++) {
		wait_for(1, ST_DRQ);
		sector(1, true, BUFFER + 4096 + 512 * i);
	}
	assert_memory_equal((void *)BUFFER, (void *)(BUFFER + 4096), 1024);
	/* The header partition stays. */
	give(0, 0x30, 100, 1);
	assert_int_equal(wait_for(0, 0) & ST_ERR, ST_ERR);
}

/* By both CPUs in turn. */
MACHINE_TEST(test_dma)
{
	start();
	for (unsigned i = 0; i < 6; i++) {
		unsigned cpu = i / 3;

		fill(4096, (uint8_t)i);
		dma(cpu, true, 300 + 8 * i, 8);
		expect_encrypted(300 + 8 * i, 8);
		memset((void *)BUFFER, 0, 4096);
		dma(cpu, false, 300 + 8 * i, 8);
		expect_encrypted(300 + 8 * i, 8);
	}
}

/* Until the window is in the given state. */
static void serve(unsigned cpu, unsigned state)
{
	while (window_is() < state) {
		if (__atomic_load_n(&cpus[cpu].nmi_pending, __ATOMIC_SEQ_CST))
			cpu_exit(&cpus[cpu], VMEXIT_NMI, 0, 0);
		sched_yield();
	}
}

/* A sector by PIO. */
static void *write_in_window(void *nothing)
{
	(void)nothing;
	serve(1, WINDOW_OPEN);
	give(1, 0x30, 200, 1);
	wait_for(1, ST_DRQ);
	sector(1, false, BUFFER);
	wait_for(1, 0);
	__atomic_store_n(&window, WINDOW_USED, __ATOMIC_SEQ_CST);
	serve(1, WINDOW_END);
	return NULL;
}

/* One CPU moves the ports while the other gives a command: it is carried out, once they are where they belong. */
MACHINE_TEST(test_moved_meanwhile)
{
	pthread_t thread;

	start();
	fill(512, 3);
	cpus_threaded = true;
	assert_int_equal(pthread_create(&thread, NULL, write_in_window, NULL), 0);
	__atomic_store_n(&window, WINDOW_ARMED, __ATOMIC_SEQ_CST);
	bus_master = 0xd000;
	guest_out(0, 0xcf8, 4, 0x80000000u | FUNCTION_DEVICE << 11 | FUNCTION_NUMBER << 8 | PCI_BAR(4));
	guest_out(0, 0xcfc, 4, BUS_MASTER | 1);
	for (unsigned i = 0; i < 5000 && window_is() != WINDOW_USED; i++)
		usleep(1000);
	assert_int_equal(window_is(), WINDOW_USED);
	__atomic_store_n(&window, WINDOW_END, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	cpus_threaded = false;
	assert_false(undecoded);
	expect_encrypted(200, 1);
	channel_take_interrupt(&channel);
	fill(4096, 4);
	dma(0, true, 300, 8);
	expect_encrypted(300, 8);
}

/* A command in flight ends with the ports; what the guest does meanwhile gets nowhere, though the device answers. */
MACHINE_TEST(test_not_decoded)
{
	const uint32_t function = 0x80000000u | FUNCTION_DEVICE << 11 | FUNCTION_NUMBER << 8;

	start();
	fill(512, 5);
	((uint32_t *)TABLE)[0] = (uint32_t)BUFFER;
	((uint32_t *)TABLE)[1] = 512u | 1u << 31;
	give(0, 0xca, 200, 1);
	guest_out(0, BUS_MASTER, 1, BM_RUN);
	guest_out(0, 0xcf8, 4, function | PCI_COMMAND);
	guest_out(0, 0xcfc, 2, 4);
	assert_int_equal(channel.bm_command & BM_RUN, 0);
	give(1, 0x30, 200, 1);
	guest_out(1, CONTROL, 1, CTL_SRST);
	guest_out(1, CONTROL, 1, 0);
	for (unsigned i = 0; i < 256; i++)
		guest_out(1, COMMAND_BLOCK, 2, 0x4444);
	assert_int_equal(guest_in(1, COMMAND_BLOCK + PORT_COMMAND, 1), 0xff);
	assert_false(undecoded);
	while (channel_step(&channel))
		;
	assert_null(memmem(disk.medium + 200 * 512, 512, "DDDD", 4));
	guest_out(0, 0xcfc, 2, 5);
	guest_out(0, CONTROL, 1, CTL_SRST);
	guest_out(0, CONTROL, 1, 0);
	wait_for(0, 0);
	fill(4096, 6);
	dma(1, true, 300, 8);
	expect_encrypted(300, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pio),
		cmocka_unit_test(test_dma),
		cmocka_unit_test(test_moved_meanwhile),
		cmocka_unit_test(test_not_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
