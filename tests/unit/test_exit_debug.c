/* SPDX-License-Identifier: Apache-2.0 */
/* Debug traps of instructions that the hypervisor carries out for the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/core/machine.h"

#define BUFFER	(RAM + 0x20000)
#define TRAPPED 0x92u
#define LAPIC	0xfee00000ull
#define CAUSES	0xe00full

enum { ON_WRITE = 1, ON_PORT = 2, ON_ACCESS = 3 };
enum { BYTES_1, BYTES_2, BYTES_8, BYTES_4 };

static struct vcpu *start(void)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
	cpus[0].vmcb->dr6 = 0xffff0ff0;
	return cpus[0].vcpu;
}

static void watch(unsigned number, uint64_t address, unsigned kind, unsigned length)
{
	cpus[0].breakpoint[number] = address;
	cpus[0].vmcb->dr7 |= 1ull << 2 * number | (uint64_t)(kind | length << 2) << (16 + 4 * number);
}

/* The trap that came: the causes in DR6, 0 for none; DR6 is cleared. */
static uint64_t trapped(void)
{
	uint64_t causes = cpus[0].vmcb->dr6 & CAUSES;
	int exception = guest_exception(0);

	assert_int_equal(exception, causes ? EXCEPTION_DB : -1);
	cpus[0].vmcb->dr6 = 0xffff0ff0;
	return causes;
}

MACHINE_TEST(test_single_step)
{
	struct vcpu *vcpu = start();
	struct cpuid_result result;
	uint64_t value;

	guest_cpuid(0, 0, 0, &result);
	assert_int_equal(trapped(), 0);
	vcpu->rflags |= RFLAGS_TF;
	guest_cpuid(0, 0, 0, &result);
	assert_int_equal(trapped(), DR6_BS);
	guest_rdmsr(0, MSR_EFER, &value);
	assert_int_equal(trapped(), DR6_BS);
	guest_in(0, TRAPPED, 1);
	assert_int_equal(trapped(), DR6_BS);
	guest_write(0, LAPIC + 0x80, 4, 0);
	assert_int_equal(trapped(), DR6_BS);
}

MACHINE_TEST(test_data_breakpoints)
{
	start();
	watch(0, LAPIC + 0x80, ON_WRITE, BYTES_4);
	watch(3, LAPIC + 0x86, ON_ACCESS, BYTES_1);
	watch(1, LAPIC + 0xd0, ON_PORT, BYTES_4); /* a port of that number */
	guest_write(0, LAPIC + 0x80, 4, 0);
	assert_int_equal(trapped(), 1);
	guest_write(0, LAPIC + 0x80, 8, 0);
	assert_int_equal(trapped(), 9);
	guest_write(0, LAPIC + 0x84, 2, 0);
	assert_int_equal(trapped(), 0);
	guest_write(0, LAPIC + 0xd0, 4, 0);
	assert_int_equal(trapped(), 0);
	cpus[0].vmcb->dr7 &= ~DR7_ENABLED;
	guest_write(0, LAPIC + 0x80, 8, 0);
	assert_int_equal(trapped(), 0);
}

MACHINE_TEST(test_port_breakpoints)
{
	start();
	watch(2, TRAPPED, ON_PORT, BYTES_1);
	guest_in(0, TRAPPED, 1);
	assert_int_equal(trapped(), 0); /* CR4.DE is clear */
	cpus[0].vmcb->cr4 |= CR4_DE;
	guest_in(0, TRAPPED, 1);
	assert_int_equal(trapped(), 4);
	guest_out(0, TRAPPED - 1, 2, 0);
	assert_int_equal(trapped(), 4);
	cpus[0].breakpoint[2] = TRAPPED + 1;
	guest_in(0, TRAPPED, 1);
	assert_int_equal(trapped(), 0);
}

/* REP INSB of two: each element may trap, and names the buffer as well. */
MACHINE_TEST(test_repeated)
{
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	cpus[0].vmcb->cr4 |= CR4_DE;
	watch(0, TRAPPED, ON_PORT, BYTES_1);
	watch(1, BUFFER + 1, ON_WRITE, BYTES_1);
	vcpu->gpr[1] = 2;
	vcpu->gpr[7] = BUFFER;
	GUEST_CODE(0, 0xf3, 0x6c);
	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | 1 << 4 | 4 | 8 | 1, rip + 2);
	assert_int_equal(vcpu->rip, rip);
	assert_int_equal(trapped(), 1);
	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | 1 << 4 | 4 | 8 | 1, rip + 2);
	assert_int_equal(vcpu->rip, rip + 2);
	assert_int_equal(trapped(), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_data_breakpoints),
		cmocka_unit_test(test_port_breakpoints),
		cmocka_unit_test(test_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
