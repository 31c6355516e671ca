/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC's page and command register as a guest may use them, rightly and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/machine.h"

#define ID	 0x20u
#define TPR	 0x80u
#define ICR_LOW	 0x300u
#define ICR_HIGH 0x310u

static void start(unsigned count)
{
	const struct machine machine = {.cpus = count};

	assert_int_equal(machine_start(&machine), 0);
}

static uint32_t reg(unsigned cpu, uint32_t offset)
{
	return cpus[cpu].lapic[offset / 16];
}

static void write_page(unsigned cpu, uint32_t offset, unsigned size, uint64_t value)
{
	assert_true(guest_write(cpu, LAPIC_REGISTERS + offset, size, value));
}

/* What is not a register, not whole, or would change who the CPU is, is dropped. */
MACHINE_TEST(test_dropped_writes)
{
	uint32_t id;

	start(2);
	id = reg(1, ID);
	write_page(1, TPR, 4, 0x20);
	assert_int_equal(reg(1, TPR), 0x20);
	write_page(1, TPR, 8, 0x30);
	assert_int_equal(reg(1, TPR), 0x30);
	write_page(1, TPR, 1, 0x40);
	write_page(1, TPR, 2, 0x40);
	write_page(1, TPR + 4, 4, 0x40);
	write_page(1, TPR - 2, 4, 0x40404040);
	assert_int_equal(reg(1, TPR), 0x30);
	write_page(1, ID, 4, 0x77000000);
	assert_int_equal(reg(1, ID), id);
	write_page(1, 0x00, 4, 0x500); /* INIT, where it is taken for a message */
	write_page(1, 0x10, 4, 0x500);
	write_page(1, 0x30, 4, 0x500);
	for (uint32_t offset = 0; offset < 0x80; offset += 16)
		assert_int_equal(reg(1, offset), offset == ID ? id : 0);
}

/* INIT as a device's message would send it. */
MACHINE_TEST(test_messages)
{
	uint64_t value;

	start(2);
	platform.nowhere = 0;
	for (uint64_t page = 1; page < 0x100; page++) {
		assert_true(guest_write(0, LAPIC_REGISTERS + (page << 12) + 0x40, 4, 0x500));
		assert_true(guest_write(0, LAPIC_REGISTERS + (page << 12) + 0xffc, 4, 0x500));
	}
	assert_int_equal(platform.nowhere, 0);
	assert_true(guest_read(0, LAPIC_REGISTERS + 0x5000, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	/* Beyond them the machine is the guest's. */
	platform.nowhere = 0;
	assert_true(guest_write(0, LAPIC_REGISTERS + 0x100000, 4, 0x500));
	assert_int_equal(platform.nowhere, 1);
}

/* OR to a register: it is read, then written. */
MACHINE_TEST(test_read_and_write)
{
	start(2);
	write_page(1, TPR, 4, 0x20);
	GUEST_CODE(1, 0x09, 0x03);
	cpus[1].vcpu->gpr[0] = 0x50;
	cpus[1].vcpu->gpr[3] = LAPIC_REGISTERS + TPR;
	cpu_exit(&cpus[1], VMEXIT_NPF, 6, LAPIC_REGISTERS + TPR);
	assert_int_equal(reg(1, TPR), 0x70);
	GUEST_CODE(1, 0x09, 0x03);
	cpus[1].vcpu->gpr[3] = LAPIC_REGISTERS + TPR + 4;
	cpu_exit(&cpus[1], VMEXIT_NPF, 6, LAPIC_REGISTERS + TPR + 4);
	assert_int_equal(reg(1, TPR), 0x70);
	/* The address of a message reads as nothing does. */
	GUEST_CODE(1, 0x0b, 0x03);
	cpus[1].vcpu->gpr[0] = 0;
	cpus[1].vcpu->gpr[3] = LAPIC_REGISTERS + 0x1000;
	cpu_exit(&cpus[1], VMEXIT_NPF, 6, LAPIC_REGISTERS + 0x1000);
	assert_int_equal(cpus[1].vcpu->gpr[0], UINT32_MAX);
}

/* A fixed interrupt goes out as it was written. */
MACHINE_TEST(test_fixed_passes)
{
	start(2);
	write_page(0, ICR_HIGH, 4, cpus[1].apic_id << 24);
	write_page(0, ICR_LOW, 4, 0x40f0);
	assert_int_equal(cpus[0].sent_count, 1);
	assert_int_equal(cpus[0].sent[0].low, 0x40f0);
	assert_int_equal(cpus[0].sent[0].destination, cpus[1].apic_id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dropped_writes),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_fixed_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
