/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/crash_dump.h"
#include "hv/core/backend.h"
#include "hv/core/counters.h"
#include "hv/core/host.h"
#include "hv/core/log.h"
#include "hv/core/memory.h"

#define STACK_WORDS 512 /* looked at */
#define CALLS       8   /* of them shown */

static void dump_registers(const char *whose, const uint64_t gpr[16])
{
	log_error("%s rax %lx rcx %lx rdx %lx rbx %lx rsp %lx rbp %lx rsi %lx rdi %lx", whose, gpr[0], gpr[1], gpr[2],
		  gpr[3], gpr[4], gpr[5], gpr[6], gpr[7]);
	log_error("%s r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx", whose, gpr[8], gpr[9], gpr[10],
		  gpr[11], gpr[12], gpr[13], gpr[14], gpr[15]);
}

static void dump_exit(const struct vcpu *vcpu)
{
	log_error("cpu %u (APIC %u): exit %s, code %lx (%lx, %lx), number %lu", vcpu->index, vcpu->apic_id,
		  counter_names[vcpu->exit.reason], vcpu->exit.code, vcpu->exit.info1, vcpu->exit.info2, vcpu->exits);
}

static void dump_guest(struct vcpu *vcpu)
{
	struct walk_cpu state;

	backend->paging(vcpu, &state);
	log_error("guest rip %lx rflags %lx cr0 %lx cr3 %lx cr4 %lx efer %lx cpl %u", vcpu->rip, vcpu->rflags,
		  state.cr0, state.cr3, state.cr4, state.efer, state.cpl);
	dump_registers("guest", vcpu->gpr);
}

/* What on the stack points into the image may be a return address: the newest calls come first. */
static void dump_calls(const struct vcpu *vcpu, const struct host_frame *frame)
{
	const uint64_t *at = (const uint64_t *)(frame->rsp & ~7ull);
	const uint64_t *top = (const uint64_t *)((uint64_t)vcpu + CPU_AREA_BYTES);
	unsigned shown = 0;

	if (frame->rsp < (uint64_t)vcpu || frame->rsp >= (uint64_t)top)
		return;
	for (unsigned i = 0; i < STACK_WORDS && at + i < top && shown < CALLS; i++)
		if (at[i] >= memory_base() && at[i] - memory_base() < LOG_AREA_OFFSET) {
			log_error("host call %u: image+%lx", shown, at[i] - memory_base());
			shown++;
		}
}

static void dump_last_exits(const struct vcpu *vcpu)
{
	for (uint64_t back = 1; back <= EXITS_KEPT && back <= vcpu->exits; back++) {
		const struct exit_record *exit = &vcpu->record[(vcpu->exits - back) % EXITS_KEPT];

		log_error("exit %lu: code %lx (%lx, %lx) at rip %lx", vcpu->exits - back + 1, exit->code, exit->info1,
			  exit->info2, exit->rip);
	}
}

void crash_dump(void)
{
	struct vcpu *vcpu = this_vcpu();

	dump_exit(vcpu);
	if (vcpu->online)
		dump_guest(vcpu);
	if (vcpu->fault) {
		dump_registers("host", vcpu->fault->gpr);
		dump_calls(vcpu, vcpu->fault);
	}
	dump_last_exits(vcpu);
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (vcpus[i] != vcpu && vcpus[i]->online)
			dump_exit(vcpus[i]);
}
