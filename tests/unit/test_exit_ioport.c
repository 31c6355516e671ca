/* SPDX-License-Identifier: Apache-2.0 */
/* Port accesses that exit: widths, the string forms, faults in their midst, hooks that are met halfway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/core/backend.h"
#include "hv/core/ioport.h"
#include "tests/core/machine.h"

#define BUFFER	(RAM + 0x20000)
#define TRAPPED 0x92u /* a port with a hook that passes what is read */
#define REP	8u

static const uint64_t nothing_there = 512ull << 30; /* the guest's own tables end here */

static struct vcpu *start(void)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
	return cpus[0].vcpu;
}

/* INS or OUTS of `size` with the given prefixes; `flags` REP. */
static void string_exit(bool in, unsigned size, unsigned flags, const uint8_t *prefixes, unsigned count)
{
	uint8_t code[16];
	struct vcpu *vcpu = cpus[0].vcpu;

	memcpy(code, prefixes, count);
	code[count] = (uint8_t)((in ? 0x6c : 0x6e) | (size != 1));
	guest_code(0, code, count + 1);
	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | size << 4 | 4 | flags | in, vcpu->rip + count + 1);
}

MACHINE_TEST(test_widths)
{
	struct vcpu *vcpu = start();

	memcpy(platform.in + TRAPPED, "\x11\x22\x33\x44", 4);
	vcpu->gpr[0] = UINT64_MAX;
	assert_int_equal(guest_in(0, TRAPPED, 1), 0x11);
	assert_int_equal(vcpu->gpr[0], 0xffffffffffffff11);
	assert_int_equal(guest_in(0, TRAPPED, 2), 0x2211);
	assert_int_equal(vcpu->gpr[0], 0xffffffffffff2211);
	assert_int_equal(guest_in(0, TRAPPED, 4), 0x44332211);
	assert_int_equal(vcpu->gpr[0], 0x44332211); /* as every 32-bit result */
	/* It begins before the hook and reaches into it. */
	assert_int_equal(guest_in(0, TRAPPED - 1, 2) >> 8, 0x11);
	/* What reaches beyond a register is made of bytes. */
	guest_out(0, TRAPPED, 2, 0xabcd1234);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x34), 1);
	assert_int_equal(platform_port_writes(TRAPPED + 1, 1, 0x12), 1);
	guest_out(0, TRAPPED - 1, 4, 0xab785634);
	assert_int_equal(platform_port_writes(TRAPPED - 1, 1, 0x34), 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x56), 1);
	assert_int_equal(platform_port_writes(TRAPPED + 2, 1, 0xab), 1);
	/* A whole register is not. */
	guest_out(0, PM1_CONTROL, 2, 0x0401);
	assert_int_equal(platform_port_writes(PM1_CONTROL, 2, 0x0401), 1);
	guest_out(0, 0xcf8, 4, 0x80001234);
	assert_int_equal(platform_port_writes(0xcf8, 4, 0x80001234), 1);
	assert_int_equal(guest_in(0, 0xcf8, 4), 0x80001234);
}

/* A register that resets is found in the middle of a wider access: the keys go first. */
MACHINE_TEST(test_wide_reset)
{
	static const struct {
		uint16_t port;
		uint8_t size;
		uint32_t value;
		uint16_t at;
	} resets[] = {
		{0xcf9, 2, 0xff06, 0xcf9}, {0xcf9, 4, 0x00000006, 0xcf9}, {0xcf8, 2, 0x0600, 0xcf9}, {0x63, 2, 0xfe00, 0x64},
		{0x64, 4, 0x000000fe, 0x64}, {0x91, 2, 0x0100, 0x92}, {NAMED_RESET - 1, 4, NAMED_VALUE << 8, NAMED_RESET},
		{PM1_CONTROL - 2, 4, 0x20000000, PM1_CONTROL + 1}, {PM1_CONTROL, 4, 0x2000, PM1_CONTROL},
	};

	for (unsigned i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		pid_t child = fork();
		int status;

		if (child) {
			assert_true(waitpid(child, &status, 0) == child && status == 0);
			continue;
		}
		start();
		guest_out(0, resets[i].port, resets[i].size, resets[i].value);
		assert_int_equal(cpus[0].state, CPU_STOPPED);
		assert_non_null(strstr(machine_log(), "keys are wiped"));
		/* A reset that does not come is followed by a full one, of two writes. */
		unsigned behind = resets[i].at / 2 == PM1_CONTROL / 2 ? 1 : 3;

		assert_int_equal(platform.written[(platform.writes - behind) % PORT_WRITES_KEPT].port, resets[i].at);
		exit(0);
	}
}

MACHINE_TEST(test_string_out)
{
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	memcpy((void *)BUFFER, "\x02\x04\x06\x08\x0a\x0c", 6);
	vcpu->gpr[6] = BUFFER;
	vcpu->gpr[1] = 3;
	for (unsigned left = 2; left > 0; left--) {
		string_exit(false, 2, REP, (const uint8_t *)"\xf3\x66", 2);
		assert_int_equal(vcpu->gpr[1], left);
		assert_int_equal(vcpu->rip, rip);
	}
	string_exit(false, 2, REP, (const uint8_t *)"\xf3\x66", 2);
	assert_int_equal(vcpu->gpr[1], 0);
	assert_int_equal(vcpu->gpr[6], BUFFER + 6);
	assert_int_equal(vcpu->rip, rip + 3);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x02), 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x06), 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x0a), 1);
	/* Nothing to do is done at once. */
	unsigned writes = platform.writes;

	vcpu->rip = rip;
	string_exit(false, 1, REP, (const uint8_t *)"\xf3", 1);
	assert_int_equal(platform.writes, writes);
	assert_int_equal(vcpu->rip, rip + 2);
}

MACHINE_TEST(test_string_in)
{
	struct vcpu *vcpu = start();

	platform.in[TRAPPED] = 0x77;
	vcpu->gpr[7] = BUFFER + 1;
	vcpu->rflags |= RFLAGS_DF;
	string_exit(true, 1, 0, (const uint8_t *)"", 0);
	assert_int_equal(*(uint8_t *)(BUFFER + 1), 0x77);
	assert_int_equal(vcpu->gpr[7], BUFFER);
	/* A 32-bit address size: what is above is not part of the address. */
	vcpu->rflags &= ~RFLAGS_DF;
	vcpu->gpr[7] = 0xabcd00000000ull | BUFFER;
	string_exit(true, 1, 0, (const uint8_t *)"\x67", 1);
	assert_int_equal(*(uint8_t *)BUFFER, 0x77);
	assert_int_equal((uint32_t)vcpu->gpr[7], BUFFER + 1);
}

/* FS is used in 64-bit mode, DS and the override of it are not. */
MACHINE_TEST(test_string_segments)
{
	struct vcpu *vcpu = start();

	cpus[0].fs.base = 0x10;
	cpus[0].vmcb->ds.base = cpus[0].vmcb->es.base = 0x1000;
	*(uint8_t *)BUFFER = 0x20;
	*(uint8_t *)(BUFFER + 0x10) = 0x42;
	vcpu->gpr[6] = BUFFER;
	string_exit(false, 1, 0, (const uint8_t *)"\x64", 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x42), 1);
	vcpu->gpr[6] = BUFFER;
	string_exit(false, 1, 0, (const uint8_t *)"\x26", 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x20), 1);
	/* INS has no override: it always stores to ES, whose base counts for nothing here. */
	platform.in[TRAPPED] = 0x77;
	vcpu->gpr[7] = BUFFER + 8;
	string_exit(true, 1, 0, (const uint8_t *)"\x64", 1);
	assert_int_equal(*(uint8_t *)(BUFFER + 8), 0x77);
}

/* 16-bit code: 16-bit addresses with segment bases, and the wrap of SI. */
MACHINE_TEST(test_string_real_mode)
{
	struct vcpu *vcpu = start();

	cpus[0].vmcb->cr0 &= ~(CR0_PG | CR0_PE);
	cpus[0].vmcb->efer &= ~(EFER_LMA | EFER_LME);
	cpus[0].vmcb->cs.attributes = 0x9b;
	cpus[0].vmcb->ds.base = LOW_RAM;
	vcpu->rip = LOW_RAM + 0x2000;
	*(uint8_t *)(LOW_RAM + 0xffff) = 0x5a;
	vcpu->gpr[6] = 0xdead0000ffff;
	string_exit(false, 1, 0, (const uint8_t *)"", 0);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x5a), 1);
	assert_int_equal(vcpu->gpr[6], 0xdead00000000);
	vcpu->gpr[6] = 0x4000;
	*(uint8_t *)(LOW_RAM + 0x4000) = 0x5c;
	string_exit(false, 1, 0, (const uint8_t *)"\x67", 1);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0x5c), 1);
}

/* A fault comes before the device is asked: nothing that was read is lost. */
MACHINE_TEST(test_string_faults)
{
	struct vcpu *vcpu = start();
	uint64_t rip = vcpu->rip;

	vcpu->gpr[7] = vcpu->gpr[6] = nothing_there - 1;
	vcpu->gpr[1] = 2;
	platform.port_reads = 0;
	string_exit(true, 2, REP, (const uint8_t *)"\xf3\x66", 2);
	assert_int_equal(guest_exception(0), EXCEPTION_PF);
	assert_int_equal(guest_error(0), 2);
	assert_int_equal(cpus[0].vmcb->cr2, nothing_there);
	assert_int_equal(platform.port_reads, 0);
	unsigned writes = platform.writes;

	string_exit(false, 2, REP, (const uint8_t *)"\xf3\x66", 2);
	assert_int_equal(guest_exception(0), EXCEPTION_PF);
	assert_int_equal(guest_error(0), 0);
	assert_int_equal(platform.writes, writes);
	assert_int_equal(vcpu->rip, rip);
	assert_int_equal(vcpu->gpr[1], 2);
	assert_int_equal(vcpu->gpr[7], nothing_there - 1);
	/* The code itself is gone. */
	vcpu->rip = nothing_there;
	cpu_exit(&cpus[0], VMEXIT_IOIO, TRAPPED << 16 | 1 << 4 | 4, nothing_there + 1);
	assert_int_equal(guest_exception(0), EXCEPTION_PF);
	assert_int_equal(cpus[0].vmcb->cr2, nothing_there);
}

/* Into the hypervisor's memory nothing is stored, and zeroes come from there. */
MACHINE_TEST(test_string_own_memory)
{
	struct vcpu *vcpu = start();

	vcpu->gpr[7] = vcpu->gpr[6] = OWN_MEMORY + 0x1000;
	platform.in[TRAPPED] = 0x77;
	string_exit(true, 1, 0, (const uint8_t *)"", 0);
	assert_int_equal(guest_exception(0), -1);
	string_exit(false, 1, 0, (const uint8_t *)"", 0);
	assert_int_equal(platform_port_writes(TRAPPED, 1, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_wide_reset),
		cmocka_unit_test(test_string_out),
		cmocka_unit_test(test_string_in),
		cmocka_unit_test(test_string_segments),
		cmocka_unit_test(test_string_real_mode),
		cmocka_unit_test(test_string_faults),
		cmocka_unit_test(test_string_own_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
