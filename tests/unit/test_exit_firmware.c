/* SPDX-License-Identifier: Apache-2.0 */
/* What the firmware has left in CR4, and what the host makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/host.h"
#include "hv/core/image.h"
#include "tests/core/machine.h"

#define MACHINE_CHECK 18

void host_exception(struct host_frame *frame);

static int64_t start(uint64_t cr4)
{
	const struct machine machine = {.cpus = 2, .cr4 = cr4};

	return machine_start(&machine);
}

/* A machine check in the host is one of ours to report; the guest's CR4 stays as it was. */
MACHINE_TEST(test_machine_check_enabled)
{
	assert_int_equal(start(CR4_CET), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(cpus[i].cr4 & CR4_MCE);
		assert_true(cpus[i].cr4 & CR4_OSFXSR);
		assert_false(cpus[i].cr4 & CR4_CET);
		assert_int_equal(cpus[i].vmcb->cr4, CR4_PAE | CR4_OSFXSR | CR4_CET);
	}
}

MACHINE_TEST(test_machine_check_stays_enabled)
{
	assert_int_equal(start(CR4_MCE), 0);
	assert_true(cpus[0].cr4 & CR4_MCE);
	assert_true(cpus[0].vmcb->cr4 & CR4_MCE);
}

static void machine_check(uint64_t *gpr)
{
	static struct host_frame frame = {.vector = MACHINE_CHECK};

	(void)gpr;
	cpu_now()->mcg_status = 5;
	host_exception(&frame);
}

/* With interrupts off it is an exception: the log has its name, and what the processor tells. */
MACHINE_TEST(test_machine_check_in_the_host)
{
	assert_int_equal(start(0), 0);
	cpus[0].smi_handler = machine_check;
	cpu_exit(&cpus[0], VMEXIT_SMI, 0, 0);
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_non_null(strstr(machine_log(), "machine check, status 5"));
}

MACHINE_TEST(test_five_levels)
{
	assert_int_equal(start(CR4_LA57), HV_START_CPU);
	assert_non_null(strstr(machine_log(), "five levels (LA57)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine_check_enabled),
		cmocka_unit_test(test_machine_check_stays_enabled),
		cmocka_unit_test(test_machine_check_in_the_host),
		cmocka_unit_test(test_five_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
