/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls: what each tells, where each ends, and that nothing else is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/hypercall.h"
#include "hv/core/counters.h"
#include "hv/core/hypercall_exit.h"
#include "tests/core/machine.h"

enum { RAX, RCX, RDX, RBX, RSI = 6 };

static const struct boot_volume volume = {
	.controller = 7, /* one that no mediator is for */
	.pci_bus = 2,
	.pci_device = 31,
	.pci_function = 5,
	.port = 3,
	.sector_bytes = 4096,
	.lba_bytes = 512,
	.first_lba = 2048,
	.last_lba = 99999,
	.key_bytes = 64,
	.key = "keykeykeykeykeykeykeykeykeykeykeyKEYKEYKEYKEYKEYKEYKEYKEYKEYKEY",
	.uuid = "01234567-89ab-cdef-0123-456789abcdef",
};

static void start(bool fast)
{
	const struct machine machine = {.cpus = 2, .fast_icr = fast, .volume = &volume};

	assert_int_equal(machine_start(&machine), 0);
}

static int64_t call(unsigned cpu, uint64_t function, uint64_t first, uint64_t second)
{
	uint64_t *gpr = cpus[cpu].vcpu->gpr;

	gpr[RAX] = HYPERCALL_MAGIC;
	gpr[RBX] = function;
	gpr[RCX] = first;
	gpr[RDX] = second;
	assert_true(guest_vmmcall(cpu));
	assert_int_equal(guest_exception(cpu), -1);
	return (int64_t)gpr[RAX];
}

MACHINE_TEST(test_info)
{
	const uint64_t *gpr;

	start(true);
	gpr = cpus[1].vcpu->gpr;
	assert_int_equal(call(1, HYPERCALL_INFO, 1, 2), HYPERCALL_OK);
	assert_memory_equal(&gpr[RCX], "svm\0\0\0\0", 8);
	assert_int_equal(gpr[RDX], 2 | (uint64_t)HYPERCALL_ICR_FAST << 32);
	assert_int_equal(gpr[RSI], 1 | (OWN_BYTES >> 20) << 32);
	assert_int_not_equal(gpr[RBX], 0);
}

MACHINE_TEST(test_volume)
{
	const uint64_t *gpr;
	char uuid[48];

	start(false);
	gpr = cpus[0].vcpu->gpr;
	assert_int_equal(call(0, HYPERCALL_VOLUME, 0, 0), HYPERCALL_OK);
	assert_int_equal(gpr[RBX], 2048);
	assert_int_equal(gpr[RCX], 99999);
	assert_int_equal(gpr[RDX], 4096 | 3ull << 32);
	assert_int_equal(gpr[RSI], (2 << 8 | 31 << 3 | 5) | 7ull << 32);
	for (unsigned word = 1; word <= 2; word++) {
		assert_int_equal(call(0, HYPERCALL_VOLUME, 0, word), HYPERCALL_OK);
		memcpy(uuid + 24 * (word - 1), &gpr[RBX], 8);
		memcpy(uuid + 24 * (word - 1) + 8, &gpr[RCX], 8);
		memcpy(uuid + 24 * (word - 1) + 16, &gpr[RDX], 8);
	}
	assert_string_equal(uuid, volume.uuid);
	for (unsigned i = 40; i < 48; i++)
		assert_int_equal(uuid[i], 0);
}

/* Beyond the end nothing is read and no register but rax changes. */
/* An NVMe disk is a namespace of its controller, whatever the port says. */
MACHINE_TEST(test_namespace)
{
	struct boot_info info = {.volumes = 1, .volume = {volume}};

	start(false);
	info.volume[0].controller = BOOT_CONTROLLER_NVME;
	info.volume[0].namespace_id = 0x12345;
	hypercall_init(&info);
	assert_int_equal(call(0, HYPERCALL_VOLUME, 0, 0), HYPERCALL_OK);
	assert_int_equal(cpus[0].vcpu->gpr[RDX], 4096 | 0x12345ull << 32);
	assert_int_equal(cpus[0].vcpu->gpr[RSI] >> 32, BOOT_CONTROLLER_NVME);
}

MACHINE_TEST(test_past_end)
{
	static const struct {
		uint64_t function, first, second;
		int64_t result;
	} calls[] = {
		{HYPERCALL_VOLUME, 1, 0, HYPERCALL_PAST_END},	     {HYPERCALL_VOLUME, UINT64_MAX, 0, HYPERCALL_PAST_END},
		{HYPERCALL_VOLUME, 0, 3, HYPERCALL_PAST_END},	     {HYPERCALL_VOLUME, 0, UINT64_MAX, HYPERCALL_PAST_END},
		{HYPERCALL_COUNTER, 2, 0, HYPERCALL_PAST_END},	     {HYPERCALL_COUNTER, 0, COUNTERS, HYPERCALL_PAST_END},
		{HYPERCALL_COUNTER, 1ull << 32, 0, HYPERCALL_PAST_END}, {HYPERCALL_LOG, 0, 2, HYPERCALL_PAST_END},
		{HYPERCALL_LOG, 0, 1, HYPERCALL_PAST_END},	     {HYPERCALL_PREVIOUS_END, 0, 0, HYPERCALL_PAST_END},
		{5, 0, 0, HYPERCALL_UNKNOWN},			     {UINT64_MAX, 0, 0, HYPERCALL_UNKNOWN},
		{HYPERCALL_INFO | 1ull << 32, 0, 0, HYPERCALL_UNKNOWN},
	};

	start(false);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const uint64_t *gpr = cpus[0].vcpu->gpr;

		cpus[0].vcpu->gpr[RSI] = 0x55;
		assert_int_equal(call(0, calls[i].function, calls[i].first, calls[i].second), calls[i].result);
		assert_int_equal(gpr[RBX], calls[i].function);
		assert_int_equal(gpr[RCX], calls[i].first);
		assert_int_equal(gpr[RDX], calls[i].second);
		assert_int_equal(gpr[RSI], 0x55);
	}
}

MACHINE_TEST(test_counters)
{
	const uint64_t *gpr;
	struct cpuid_result ignored;

	start(false);
	gpr = cpus[0].vcpu->gpr;
	for (unsigned i = 0; i < 5; i++)
		assert_true(guest_cpuid(1, 0, 0, &ignored));
	assert_int_equal(call(0, HYPERCALL_COUNTER, 1, EXIT_CPUID), HYPERCALL_OK);
	assert_int_equal(gpr[RBX], 5);
	assert_memory_equal(&gpr[RCX], "cpuid\0\0\0", 8);
	for (unsigned i = 0; i < COUNTERS; i++) {
		assert_int_equal(call(0, HYPERCALL_COUNTER, 0, i), HYPERCALL_OK);
		assert_int_not_equal(gpr[RCX] & 0xff, 0);
	}
	assert_memory_equal(&gpr[RCX], "run-ahea", 8);
	assert_memory_equal(&gpr[RDX], "d-missed", 8);
}

/* Sixteen bytes at a time, the whole log and no more. */
MACHINE_TEST(test_log)
{
	static char text[65536];
	uint64_t count = 0;
	const uint64_t *gpr;

	start(false);
	gpr = cpus[0].vcpu->gpr;
	for (;;) {
		assert_int_equal(call(0, HYPERCALL_LOG, count, 0), HYPERCALL_OK);
		assert_int_equal(gpr[RBX], count);
		assert_in_range(gpr[RCX], 0, 16);
		if (!gpr[RCX])
			break;
		memcpy(text + count, &gpr[RDX], 8);
		memcpy(text + count + 8, &gpr[RSI], 8);
		count += gpr[RCX];
	}
	text[count] = 0;
	assert_string_equal(text, machine_log());
	assert_int_equal(call(0, HYPERCALL_LOG, UINT64_MAX, 0), HYPERCALL_OK);
	assert_int_equal(gpr[RCX], 0);
	assert_null(strstr(text, "keykey"));
}

/* Without the number in rax it is an instruction that this processor does not have. */
MACHINE_TEST(test_undefined)
{
	start(false);
	uint64_t rip = cpus[0].vcpu->rip;

	cpus[0].vcpu->gpr[RAX] = HYPERCALL_MAGIC | 1ull << 32;
	assert_false(guest_vmmcall(0));
	assert_int_equal(guest_exception(0), EXCEPTION_UD);
	assert_int_equal(cpus[0].vcpu->rip, rip);
	/* From user code as well as from the kernel. */
	cpus[0].vmcb->cpl = 3;
	assert_int_equal(call(0, HYPERCALL_INFO, 0, 0), HYPERCALL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_volume),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_past_end),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_undefined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
