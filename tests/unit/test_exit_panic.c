/* SPDX-License-Identifier: Apache-2.0 */
/* A panic: what the log says of it, and that keys and CPUs are done with before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/host.h"
#include "hv/core/hypercall.h"
#include "hv/core/keys.h"
#include "hv/core/log.h"
#include "hv/x86/attempt.h"
#include "tests/core/machine.h"

void host_exception(struct host_frame *frame);

static const struct boot_volume volume = {.controller = 77, .key_bytes = 64, .key = {1, 2, 3}, .lba_bytes = 512};

static void start(unsigned count, bool halt)
{
	const struct machine machine = {.cpus = count, .volume = &volume, .halt_after_panic = halt};

	assert_int_equal(machine_start(&machine), 0);
}

static bool keys_are_wiped(void)
{
	static const struct xts_key wiped;

	return !memcmp(keys_of_volume(0), &wiped, sizeof(wiped));
}

static void exit_by_cpuid(void)
{
	GUEST_CODE(0, 0x0f, 0xa2);
	cpu_exit(&cpus[0], VMEXIT_CPUID, 0, 0);
}

static void overflow_stack(void)
{
	cpus[0].vcpu->stack_guard = 0;
}

static void expect_line(const char *text)
{
	if (!strstr(machine_log(), text))
		fail_msg("the log has no \"%s\":\n%s", text, machine_log());
}

MACHINE_TEST(test_dump)
{
	start(2, false);
	for (unsigned i = 0; i < EXITS_KEPT + 3; i++)
		exit_by_cpuid();
	cpus[0].vcpu->gpr[8] = 0x1122334455667788;
	assert_false(keys_are_wiped());
	overflow_stack();
	exit_by_cpuid();
	assert_true(keys_are_wiped());
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_int_equal(cpus[1].state, CPU_STOPPED);
	expect_line("panic 2: cpu 0: host stack overflow");
	expect_line("cpu 0 (APIC 0): exit cpuid, code 72");
	expect_line("guest rip ");
	expect_line("guest r8 1122334455667788");
	expect_line("exit 20: code 72");
	expect_line("exit 5: code 72");
	assert_null(strstr(machine_log(), "exit 4: code"));
	expect_line("cpu 1 (APIC ");
	/* The reset comes last, with the log in memory. */
	assert_int_equal(platform_port_writes(0xcf9, 1, 6), 1);
	assert_true(cpus[0].write_backs > 0);

	struct log_area *logs = (struct log_area *)(OWN_MEMORY + LOG_AREA_OFFSET);

	log_area_rotate(logs);
	assert_int_equal(log_previous()->end, LOG_END_PANIC);
	assert_int_equal(log_previous()->panic, 2);
}

/* Both CPUs find their stacks broken; the first one tells, and resets once. */
MACHINE_TEST(test_two_at_once)
{
	start(2, false);
	overflow_stack();
	cpus[1].vcpu->stack_guard = 0;
	exit_by_cpuid();
	assert_int_equal(cpus[1].state, CPU_STOPPED);
	expect_line("panic 2: cpu 0");
	expect_line("cpu 1 (APIC ");
	assert_null(strstr(machine_log(), "panic 2: cpu 1"));
	assert_int_equal(platform_port_writes(0xcf9, 1, 6), 1);
}

MACHINE_TEST(test_halts_where_the_policy_says_so)
{
	start(1, true);
	overflow_stack();
	exit_by_cpuid();
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	assert_int_equal(platform_port_writes(0xcf9, 1, 6), 0);
	expect_line("panic 2");
}

/* The host faults while it handles an exit: the handler of an SMI runs on its stack. */
static struct host_frame frame;

static void fault(uint64_t *gpr)
{
	const uint64_t call[] = {OWN_MEMORY + 0x1234, OWN_MEMORY + LOG_AREA_OFFSET};

	(void)gpr;
	frame.rsp = (uint64_t)call;
	host_exception(&frame);
}

MACHINE_TEST(test_exception)
{
	start(1, false);
	frame = (struct host_frame){.vector = 14, .error = 2, .rip = OWN_MEMORY + 0x4321, .gpr = {[15] = 0xabcdef}};
	cpus[0].smi_handler = fault;
	cpu_exit(&cpus[0], VMEXIT_SMI, 0, 0);
	assert_true(keys_are_wiped());
	expect_line("panic 1: exception 14, error 2, at image+4321");
	expect_line("exit smi, code 62");
	expect_line("r15 abcdef");
	expect_line("host call 0: image+1234");
	assert_int_equal(platform_port_writes(0xcf9, 1, 6), 1);
}

/* The guest's state is shown where there is one. */
MACHINE_TEST(test_before_the_guest)
{
	const struct machine machine = {.cpus = 1, .vmx = true, .broken_vmx = true};

	assert_int_equal(machine_start(&machine), 0);
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	expect_line("panic 3: VMX cannot be turned on");
	assert_null(strstr(machine_log(), "guest rip"));
	assert_int_equal(platform_port_writes(0xcf9, 1, 6), 1);
}

/* What an attempt is refused is no fault: it goes on behind it. */
MACHINE_TEST(test_attempt)
{
	start(1, false);
	frame = (struct host_frame){.vector = 13, .rip = (uint64_t)attempt_refused - 1};
	host_exception(&frame);
	assert_ptr_equal(frame.rip, attempt_refused);
	frame = (struct host_frame){.vector = 13, .rip = (uint64_t)attempt_begin};
	host_exception(&frame);
	assert_ptr_equal(frame.rip, attempt_refused);
	frame = (struct host_frame){.vector = 13, .rip = (uint64_t)attempt_refused};
	cpus[0].smi_handler = fault;
	cpu_exit(&cpus[0], VMEXIT_SMI, 0, 0);
	expect_line("panic 1: exception 13");
}

static uint64_t call(uint64_t function, uint64_t rcx, uint64_t rdx)
{
	struct vcpu *vcpu = cpus[0].vcpu;

	vcpu->gpr[0] = HYPERCALL_MAGIC;
	vcpu->gpr[3] = function;
	vcpu->gpr[1] = rcx;
	vcpu->gpr[2] = rdx;
	assert_true(guest_vmmcall(0));
	return vcpu->gpr[0];
}

MACHINE_TEST(test_log_by_hypercall)
{
	struct log_area *logs = (struct log_area *)(OWN_MEMORY + LOG_AREA_OFFSET);

	start(1, false);
	assert_int_equal(call(HYPERCALL_LOG, 0, 0), HYPERCALL_OK);
	assert_int_equal(cpus[0].vcpu->gpr[1], 16);
	assert_memory_equal(&cpus[0].vcpu->gpr[2], "undersea", 8);
	/* No start came before. */
	assert_int_equal(call(HYPERCALL_PREVIOUS_END, 0, 0), (uint64_t)HYPERCALL_PAST_END);
	assert_int_equal(call(HYPERCALL_LOG, 0, 1), (uint64_t)HYPERCALL_PAST_END);
	assert_int_equal(call(HYPERCALL_LOG, 0, 2), (uint64_t)HYPERCALL_PAST_END);
	/* As if this were the next one. */
	log_end(LOG_END_RESET, 0);
	log_area_rotate(logs);
	log_info("second");
	assert_int_equal(call(HYPERCALL_PREVIOUS_END, 0, 0), HYPERCALL_OK);
	assert_int_equal(cpus[0].vcpu->gpr[3], LOG_END_RESET);
	assert_int_equal(call(HYPERCALL_LOG, 0, 1), HYPERCALL_OK);
	assert_memory_equal(&cpus[0].vcpu->gpr[2], "undersea", 8);
	assert_int_equal(call(HYPERCALL_LOG, 0, 0), HYPERCALL_OK);
	assert_memory_equal(&cpus[0].vcpu->gpr[2], "second\n", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_halts_where_the_policy_says_so),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_before_the_guest),
		cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_log_by_hypercall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
