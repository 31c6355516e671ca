/* SPDX-License-Identifier: Apache-2.0 */
/* REP INS and REP OUTS that a hook takes in blocks: what goes at once, what does not, faults in their midst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/backend.h"
#include "hv/core/ioport.h"
#include "tests/core/machine.h"

#define BUFFER	(RAM + 0x20000)
#define REP	8u

static const uint64_t nothing_there = 512ull << 30; /* the guest's own tables end here */

static struct vcpu *start(void)
{
	const struct machine machine = {.cpus = 1};

	assert_int_equal(machine_start(&machine), 0);
	return cpus[0].vcpu;
}

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
/* A segment that ends in the midst of a block: what lies within is moved, one by one, and then it faults. */
MACHINE_TEST(test_block_beyond_segment)
{
	struct vcpu *vcpu = start_stream();

	/* Compatibility mode. */
	cpus[0].vmcb->cs.attributes = 0x49b;
	cpus[0].vmcb->cs.limit = UINT32_MAX;
	cpus[0].vmcb->es.attributes = 0x493;
	cpus[0].vmcb->es.base = 0;
	cpus[0].vmcb->es.limit = BUFFER + 3;
	vcpu->gpr[7] = BUFFER;
	vcpu->gpr[1] = 256;
	for (unsigned i = 0; i < 2; i++) {
		rep_words(true);
		assert_int_equal(guest_exception(0), -1);
		assert_int_equal(vcpu->gpr[7], BUFFER + 2 * (i + 1));
	}
	rep_words(true);
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	assert_int_equal(vcpu->gpr[1], 254);
	assert_int_equal(stream.at, 4);
	assert_int_equal(stream.blocks, 0);
	expect_stream(BUFFER, 4);
	assert_int_equal(((uint8_t *)BUFFER)[4], 0);
	cpus[0].vmcb->es.limit = UINT32_MAX;
	rep_words(true);
	assert_int_equal(vcpu->gpr[1], 0);
	assert_int_equal(stream.blocks, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_in),
		cmocka_unit_test(test_block_out),
		cmocka_unit_test(test_block_bounded),
		cmocka_unit_test(test_block_not),
		cmocka_unit_test(test_block_fault),
		cmocka_unit_test(test_block_beyond_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
