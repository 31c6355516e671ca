/* SPDX-License-Identifier: Apache-2.0 */
/* Port accesses that exit: widths, the string forms, faults in their midst, hooks that are met halfway. */
#include <pthread.h>
#include <sched.h>
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
		assert_int_equal(platform.written[(platform.writes - 1) % PORT_WRITES_KEPT].port, resets[i].at);
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

/* ---- a hook that takes blocks ---------------------------------------------------------------------------- */

#define STREAM 0x1f0u /* a port behind which bytes come one after the other */

static struct stream {
	uint32_t at; /* bytes so far */
	unsigned blocks, elements;
	uint8_t written[4096];
} stream;

static uint32_t stream_in(void *context, uint16_t port, unsigned size)
{
	uint32_t value = 0;

	assert_ptr_equal(context, &stream);
	assert_int_equal(port, STREAM);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)(uint8_t)(stream.at++ * 7) << 8 * i;
	stream.elements++;
	return value;
}

static void stream_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	(void)port;
	for (unsigned i = 0; i < size; i++)
		stream.written[stream.at++] = (uint8_t)(value >> 8 * i);
	stream.elements++;
}

static void stream_in_block(void *context, uint16_t port, unsigned size, void *data, uint32_t count)
{
	assert_ptr_equal(context, &stream);
	assert_int_equal(port, STREAM);
	assert_true(count > 1 && size * count <= IOPORT_BLOCK);
	for (uint32_t i = 0; i < size * count; i++)
		((uint8_t *)data)[i] = (uint8_t)(stream.at++ * 7);
	stream.blocks++;
}

static void stream_out_block(void *context, uint16_t port, unsigned size, const void *data, uint32_t count)
{
	(void)context;
	assert_int_equal(port, STREAM);
	assert_true(count > 1 && size * count <= IOPORT_BLOCK);
	memcpy(stream.written + stream.at, data, size * count);
	stream.at += size * count;
	stream.blocks++;
}

static const struct ioport_hook stream_hook = {.name = "stream", .context = &stream, .first = STREAM,
	.last = STREAM + 7, .in = stream_in, .out = stream_out, .in_block = stream_in_block,
	.out_block = stream_out_block};

static struct vcpu *start_stream(void)
{
	struct vcpu *vcpu = start();

	assert_int_equal(ioport_add(&stream_hook), 0);
	return vcpu;
}

/* REP INSW or REP OUTSW with what the registers hold: an exit. */
static void rep_words(bool in)
{
	const uint8_t code[] = {0xf3, 0x66, in ? 0x6d : 0x6f};

	guest_code(0, code, sizeof(code));
	cpu_exit(&cpus[0], VMEXIT_IOIO, STREAM << 16 | 2 << 4 | 4 | REP | in, cpus[0].vcpu->rip + sizeof(code));
}

static void expect_stream(uint64_t address, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		assert_int_equal(((uint8_t *)address)[i], (uint8_t)(i * 7));
}

/* A sector, and sixteen of them, by one exit. */
MACHINE_TEST(test_block_in)
{
	struct vcpu *vcpu = start_stream();
	uint64_t rip = vcpu->rip;

	vcpu->gpr[7] = BUFFER;
	vcpu->gpr[1] = 256;
	rep_words(true);
	assert_int_equal(vcpu->gpr[1], 0);
	assert_int_equal(vcpu->gpr[7], BUFFER + 512);
	assert_int_equal(vcpu->rip, rip + 3);
	assert_int_equal(stream.elements, 0);
	expect_stream(BUFFER, 512);
	assert_int_equal(*(uint8_t *)(BUFFER + 512), 0);
	/* Across pages: a word that crosses has an exit of its own. */
	stream.at = 0;
	vcpu->rip = rip;
	vcpu->gpr[7] = BUFFER + 1;
	vcpu->gpr[1] = 4096;
	for (unsigned exits = 0; vcpu->gpr[1]; exits++) {
		assert_true(exits < 5);
		assert_int_equal(vcpu->rip, rip);
		rep_words(true);
	}
	assert_int_equal(stream.elements, 2);
	assert_int_equal(vcpu->rip, rip + 3);
	expect_stream(BUFFER + 1, 8192);
}

MACHINE_TEST(test_block_out)
{
	struct vcpu *vcpu = start_stream();

	for (uint32_t i = 0; i < 1024; i++)
		((uint8_t *)BUFFER)[i] = (uint8_t)(i * 5 + (i >> 8));
	vcpu->gpr[6] = BUFFER;
	vcpu->gpr[1] = 512;
	rep_words(false);
	assert_int_equal(vcpu->gpr[1], 0);
	assert_int_equal(vcpu->gpr[6], BUFFER + 1024);
	assert_int_equal(stream.blocks, 2);
	assert_memory_equal(stream.written, (void *)BUFFER, 1024);
	/* The hypervisor's memory does not go out. */
	vcpu->gpr[6] = OWN_MEMORY + 0x1000;
	vcpu->gpr[1] = 64;
	stream.at = 0;
	memset(stream.written, 0x11, 128);
	rep_words(false);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(stream.written[i], 0);
}

/* An exit does not hold up interrupts for as long as the guest likes. */
MACHINE_TEST(test_block_bounded)
{
	struct vcpu *vcpu = start_stream();
	uint64_t rip = vcpu->rip;

	vcpu->gpr[7] = BUFFER;
	vcpu->gpr[1] = UINT64_MAX / 2;
	rep_words(true);
	assert_int_equal(vcpu->rip, rip);
	assert_true(stream.at <= 65536);
	assert_int_equal(vcpu->gpr[7], BUFFER + stream.at);
}

/* What cannot be a block goes one by one: downwards, to be single-stepped, up to the end of the address size. */
MACHINE_TEST(test_block_not)
{
	struct vcpu *vcpu = start_stream();
	uint64_t rip = vcpu->rip;

	vcpu->gpr[7] = BUFFER + 100;
	vcpu->gpr[1] = 4;
	vcpu->rflags |= RFLAGS_DF;
	rep_words(true);
	assert_int_equal(vcpu->gpr[1], 3);
	assert_int_equal(vcpu->gpr[7], BUFFER + 98);
	vcpu->rflags &= ~RFLAGS_DF;
	vcpu->rflags |= RFLAGS_TF;
	rep_words(true);
	assert_int_equal(vcpu->gpr[1], 2);
	assert_int_equal(guest_exception(0), EXCEPTION_DB);
	vcpu->rflags &= ~RFLAGS_TF;
	assert_int_equal(stream.blocks, 0);
	assert_int_equal(vcpu->rip, rip);
	/* The segment's end, in 16-bit code. */
	cpus[0].vmcb->cr0 &= ~(CR0_PG | CR0_PE);
	cpus[0].vmcb->efer &= ~(EFER_LMA | EFER_LME);
	cpus[0].vmcb->cs.attributes = 0x9b;
	cpus[0].vmcb->es.base = LOW_RAM + 16;
	vcpu->rip = LOW_RAM + 0x2000;
	vcpu->gpr[7] = 0xfffc;
	vcpu->gpr[1] = 4;
	stream.at = 0;
	const uint8_t code[] = {0xf3, 0x6d};

	for (unsigned exits = 0; vcpu->gpr[1] && exits < 5; exits++) {
		memcpy((void *)(LOW_RAM + 0x2000), code, sizeof(code));
		cpu_exit(&cpus[0], VMEXIT_IOIO, STREAM << 16 | 2 << 4 | 4 | REP | 1, vcpu->rip + 2);
	}
	expect_stream(LOW_RAM + 0x1000c, 4);
	assert_int_equal(*(uint8_t *)(LOW_RAM + 16), 28);
	assert_int_equal(vcpu->gpr[7], 4);
}

/* What lies before the page that is missing is done, and the device was not asked for more. */
MACHINE_TEST(test_block_fault)
{
	struct vcpu *vcpu = start_stream();

	vcpu->gpr[7] = nothing_there - 16;
	vcpu->gpr[1] = 256;
	rep_words(true);
	assert_int_equal(guest_exception(0), EXCEPTION_PF);
	assert_int_equal(cpus[0].vmcb->cr2, nothing_there);
	assert_int_equal(vcpu->gpr[1], 248);
	assert_int_equal(vcpu->gpr[7], nothing_there);
	assert_int_equal(stream.at, 16);
}

/* ---- ports that are lent to a CPU --------------------------------------------------------------------------- */

static struct ioport_loan loan;
static unsigned asked; /* how often the hook was */
static unsigned lends; /* ranges that the next access has it lend */

static uint32_t lending_in(void *context, uint16_t port, unsigned size)
{
	static const struct ioport_range range[] = {{STREAM + 2, STREAM + 4}, {STREAM + 6, STREAM + 6}};

	(void)context;
	(void)port;
	(void)size;
	asked++;
	if (lends)
		ioport_lend(&loan, range, lends - 1);
	lends = 0;
	return 0x77;
}

/* Whether this CPU's accesses of these eight ports go past the hook, a bit for each. */
static unsigned past(unsigned cpu)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned before = asked;

		guest_in(cpu, (uint16_t)(STREAM + i), 1);
		bits |= asked == before ? 1u << i : 0;
	}
	return bits;
}

MACHINE_TEST(test_lent)
{
	static const struct ioport_hook hook = {.name = "lends", .first = STREAM, .last = STREAM + 7, .in = lending_in};
	const struct machine machine = {.cpus = 2};

	assert_int_equal(machine_start(&machine), 0);
	assert_int_equal(ioport_add(&hook), 0);
	assert_int_equal(past(0) | past(1), 0);
	lends = 3;
	guest_in(1, STREAM, 1);
	assert_int_equal(past(0), 0);
	assert_int_equal(past(1), 0x5c);
	/* A wider access that reaches a port beside them exits. */
	unsigned before = asked;

	guest_in(1, STREAM + 4, 2);
	assert_int_not_equal(asked, before);
	/* To another CPU, and less. */
	lends = 2;
	guest_in(0, STREAM, 1);
	assert_int_equal(past(0), 0x1c);
	assert_int_equal(past(1), 0);
	lends = 1;
	guest_in(1, STREAM, 1);
	assert_int_equal(past(0) | past(1), 0);
	/* What is trapped anew is trapped on every CPU. */
	lends = 3;
	guest_in(1, STREAM, 1);
	backend->trap_port(STREAM, STREAM + 3);
	assert_int_equal(past(1), 0x50);
}

/* ---- a hook that comes while another CPU accesses its ports, which no hook has ------------------------- */

#define COMES  0x7100u /* where the hook comes */
#define PLACER 0x7200u /* a write here places it */

static enum { PASS_NOT_YET, PASS_BEGUN, PASS_ENDED, PASS_STOP } pass;
static bool ended_before_placed;
static unsigned hooked;

static unsigned pass_is(void)
{
	return __atomic_load_n(&pass, __ATOMIC_SEQ_CST);
}

static void pass_to(unsigned state)
{
	__atomic_store_n(&pass, state, __ATOMIC_SEQ_CST);
}

static void coming_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context, (void)port, (void)size, (void)value;
	hooked++;
}

static struct ioport_hook coming = {.name = "coming", .first = COMES, .last = COMES, .out = coming_out};

static void placer_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context, (void)port, (void)size;
	while (value && pass_is() == PASS_NOT_YET)
		sched_yield();
	assert_int_equal(ioport_place(&coming, value ? COMES : 1, value ? COMES : 0), 0);
	ended_before_placed = pass_is() == PASS_ENDED;
}

static bool slow_device(bool in, uint16_t port, unsigned size, uint32_t *value)
{
	(void)size, (void)value;
	if (in || port != COMES)
		return false;
	pass_to(PASS_BEGUN);
	usleep(50000);
	pass_to(PASS_ENDED);
	return true;
}

static void *write_past_hooks(void *nothing)
{
	(void)nothing;
	guest_out(1, COMES, 1, 0);
	while (pass_is() != PASS_STOP) {
		if (__atomic_load_n(&cpus[1].nmi_pending, __ATOMIC_SEQ_CST))
			cpu_exit(&cpus[1], VMEXIT_NMI, 0, 0);
		sched_yield();
	}
	return NULL;
}

/* Who places a hook may take it that nobody is on his way to the device any more. */
MACHINE_TEST(test_hook_comes)
{
	static const struct ioport_hook placer = {.name = "placer", .first = PLACER, .last = PLACER, .out = placer_out};
	const struct machine machine = {.cpus = 2};
	pthread_t thread;

	assert_int_equal(machine_start(&machine), 0);
	assert_int_equal(ioport_add(&coming), 0);
	assert_int_equal(ioport_add(&placer), 0);
	guest_out(0, PLACER, 1, 0);
	guest_out(0, COMES, 1, 0);
	assert_int_equal(hooked, 0);
	platform.ports = slow_device;
	cpus_threaded = true;
	assert_int_equal(pthread_create(&thread, NULL, write_past_hooks, NULL), 0);
	guest_out(0, PLACER, 1, 1);
	pass_to(PASS_STOP);
	pthread_join(thread, NULL);
	assert_true(ended_before_placed);
	guest_out(1, COMES, 1, 0);
	assert_int_equal(hooked, 1);
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
		cmocka_unit_test(test_block_in),
		cmocka_unit_test(test_block_out),
		cmocka_unit_test(test_block_bounded),
		cmocka_unit_test(test_block_not),
		cmocka_unit_test(test_block_fault),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_hook_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
