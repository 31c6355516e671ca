/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/traps.h"
#include "tests/guest/lib/internal.h"
#include "tests/guest/lib/lapic.h"

#define GATE_PRESENT   0x8e00u
#define GATE_USER      0x6000u
#define STUB_BYTES     16
#define IST_TRAP       1
#define IST_NMI        2
#define DONE_BYTES     2

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "APM 2, 4.8.3");

trap_handler *volatile trap_handlers[256];
static struct gate idt[256] __attribute__((aligned(16)));

/* INT3, INTO and the end of a run come from any privilege level. */
static bool from_anywhere(unsigned vector)
{
	return vector == 3 || vector == 4 || vector == VECTOR_RUN_DONE;
}

static bool wake_handler(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

static bool spurious_handler(struct trap_frame *frame)
{
	(void)frame;
	return true;
}

void traps_begin(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t stub = (uint64_t)trap_stubs + i * STUB_BYTES;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_CODE64,
			.flags = (uint16_t)(GATE_PRESENT | (from_anywhere(i) ? GATE_USER : 0) |
					    (i == EXCEPTION_NMI ? IST_NMI : IST_TRAP)),
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
	trap_handlers[VECTOR_WAKE] = wake_handler;
	trap_handlers[VECTOR_SPURIOUS] = spurious_handler;
}

void traps_load(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(table));
}

static void fatal(const struct trap_frame *frame)
{
	guest_fail("cpu %u: unexpected vector %lu, error %lx, at %lx:%lx (image at %p), rsp %lx, cr2 %lx, rax %lx, rcx %lx",
		   this_cpu()->index, frame->vector, frame->error, frame->cs, frame->rip, (void *)trap_stubs,
		   frame->rsp, read_cr2(), frame->gpr[0], frame->gpr[1]);
}

/* Leaves by IRET, so that NMIs are open again. */
static void leave_run(struct cpu *cpu, struct trap_frame *frame)
{
	struct run *run = cpu->run;

	memcpy(run->gpr, frame->gpr, sizeof(run->gpr));
	run->gpr[4] = frame->rsp;
	run->rip = frame->rip;
	run->rflags = frame->rflags;
	run->cs = frame->cs;
	run->ss = frame->ss;
	run->vector = frame->vector;
	run->error = frame->error;
	run->cr2 = read_cr2();
	__asm__ volatile("mov %%dr6, %0" : "=r"(run->dr6));
	cpu->run = NULL;
	frame->rip = (uint64_t)run_left;
	frame->cs = SELECTOR_CODE64;
	frame->ss = SELECTOR_DATA;
	frame->rflags = RFLAGS_FIXED;
	frame->rsp = cpu->run_rsp;
}

void trap_dispatch(struct trap_frame *frame)
{
	struct cpu *cpu = this_cpu();
	trap_handler *handler = trap_handlers[frame->vector];

	cpu->count[frame->vector]++;
	if (handler && handler(frame))
		return;
	if (cpu->run)
		leave_run(cpu, frame);
	else
		fatal(frame);
}

void run_prepare(struct run *r, const void *code)
{
	memset(r, 0, sizeof(*r));
	r->rip = (uint64_t)code;
	r->rflags = RFLAGS_FIXED;
	r->cs = SELECTOR_CODE64;
	r->ss = SELECTOR_DATA;
	r->gpr[4] = (uint64_t)this_cpu() + CPU_CODE_STACK;
}

void run(struct run *r)
{
	struct cpu *cpu = this_cpu();

	cpu->run = r;
	run_enter(r, &cpu->run_rsp);
}

void run_bytes(struct run *r, const uint8_t *bytes, unsigned count)
{
	static const uint8_t done[DONE_BYTES] = {0xcd, VECTOR_RUN_DONE};
	/* On the CPU's stack for such code, at its bottom: every CPU has its own. */
	uint8_t *code = (uint8_t *)this_cpu() + CPU_NMI_STACK;

	memcpy(code, bytes, count);
	memcpy(code + count, done, sizeof(done));
	r->rip = (uint64_t)code;
	run(r);
}

static uint64_t try_msr(const uint8_t code[2], uint32_t index, uint64_t *value, uint64_t *error)
{
	struct run r;

	run_prepare(&r, NULL);
	r.gpr[0] = (uint32_t)*value;
	r.gpr[1] = index;
	r.gpr[2] = *value >> 32;
	run_bytes(&r, code, 2);
	*value = (uint32_t)r.gpr[0] | r.gpr[2] << 32;
	if (error)
		*error = r.error;
	return r.vector;
}

uint64_t try_rdmsr(uint32_t index, uint64_t *value, uint64_t *error)
{
	static const uint8_t code[2] = {0x0f, 0x32};

	*value = 0;
	return try_msr(code, index, value, error);
}

uint64_t try_wrmsr(uint32_t index, uint64_t value, uint64_t *error)
{
	static const uint8_t code[2] = {0x0f, 0x30};

	return try_msr(code, index, &value, error);
}
