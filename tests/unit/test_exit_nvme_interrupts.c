/* SPDX-License-Identifier: Apache-2.0 */
/* Which CPUs the interrupts of an NVMe controller may reach, while its MSI-X table is being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/disk/nvme_interrupts.h"
#include "tests/core/machine.h"

#define TABLE    0x2000u
#define MESSAGE  0xfee00000u
#define VECTORS  4u

static struct nvme_interrupts interrupts;

static uint32_t address_of(unsigned cpu)
{
	return MESSAGE | cpus[cpu].apic_id << 12;
}

static uint16_t write_table(uint16_t vector, uint32_t word, uint32_t value)
{
	return nvme_interrupts_write(&interrupts, TABLE + vector * MSIX_ENTRY_BYTES + word * 4, value);
}

static void start(void)
{
	const struct machine machine = {.cpus = 3};

	assert_int_equal(machine_start(&machine), 0);
	interrupts = (struct nvme_interrupts){.msix_on = true, .table = TABLE, .entries = VECTORS};
	for (uint16_t vector = 0; vector < VECTORS; vector++) {
		assert_int_equal(write_table(vector, 0, address_of(0)), vector);
		nvme_interrupts_written(&interrupts, vector);
		assert_int_equal(nvme_interrupts_cpus(&interrupts, vector), 1);
	}
}

/* From the guest's write to the device's, an interrupt may come to either place. */
MACHINE_TEST(both_places_meanwhile)
{
	start();
	for (unsigned from = 0, to = 2; from < 3; to = from++) {
		write_table(1, 0, address_of(from));
		nvme_interrupts_written(&interrupts, 1);
		assert_int_equal(nvme_interrupts_cpus(&interrupts, 1), 1u << from);
		assert_int_equal(write_table(1, 0, address_of(to)), 1);
		assert_int_equal(nvme_interrupts_cpus(&interrupts, 1), 1u << from | 1u << to);
		assert_int_equal(nvme_interrupts_cpus(&interrupts, 0), 1);
		nvme_interrupts_written(&interrupts, 1);
		assert_int_equal(nvme_interrupts_cpus(&interrupts, 1), 1u << to);
	}
}

/* Another vector on the same CPU is a move; the mask is none; entries behind the table are nobody's. */
MACHINE_TEST(other_words)
{
	start();
	assert_int_equal(write_table(2, 2, 0x41), 2);
	nvme_interrupts_written(&interrupts, 2);
	assert_int_equal(write_table(2, 3, 1), NVME_NO_VECTOR);
	assert_int_equal(nvme_interrupts_cpus(&interrupts, 2), 1);
	assert_int_equal(write_table(NVME_QUEUES, 0, address_of(1)), NVME_NO_VECTOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_places_meanwhile),
		cmocka_unit_test(other_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
