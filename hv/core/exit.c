/* SPDX-License-Identifier: Apache-2.0 */
/* The exit loop: serve what others asked for, enter, handle. */
#include "hv/core/backend.h"
#include "hv/core/event.h"
#include "hv/core/hypercall.h"
#include "hv/core/hypercall_exit.h"
#include "hv/core/interrupts.h"
#include "hv/core/ioport.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/core/msr.h"
#include "hv/core/nmi.h"
#include "hv/core/panic.h"
#include "hv/core/power.h"
#include "hv/core/shootdown.h"
#include "hv/core/startup.h"

#define MEASURED_EXITS 4096

static void nmi_exit(struct vcpu *vcpu)
{
	nmi_take(vcpu, WINDOW_PASS);
}

/*
 * System management mode is entered from the host: entered from the guest, the
 * firmware's code would run under our intercepts and nested page tables. An NMI
 * that waits beside the SMI is taken in the same window.
 */
static void smi_exit(struct vcpu *vcpu)
{
	nmi_take(vcpu, WINDOW_GUEST_REGISTERS);
}

/* What waits is given before the next entry. */
static void look_again(struct vcpu *vcpu)
{
	(void)vcpu;
}

static void undefined_exit(struct vcpu *vcpu)
{
	inject_exception(vcpu, EXCEPTION_UD, false, 0);
}

/* INVD would drop what our caches have not written back: do what keeps it. */
static void invalidate_exit(struct vcpu *vcpu)
{
	write_back_caches();
	skip_instruction(vcpu, 2);
}

static void init_exit(struct vcpu *vcpu)
{
	startup_init(vcpu);
}

static void shutdown_exit(struct vcpu *vcpu)
{
	log_info("cpu %u: triple fault in the guest", vcpu->index);
	power_reset("triple fault");
}

/* A guest may have found a state that its processor accepts and an entry does not: it ends, we do not. */
static void invalid_exit(struct vcpu *vcpu)
{
	log_error("cpu %u: guest state refused at rip %lx", vcpu->index, vcpu->rip);
	power_reset("a state that cannot be virtualised");
}

static void other_exit(struct vcpu *vcpu)
{
	static uint32_t said;

	if (log_limited(&said))
		log_warning("cpu %u: exit %lx (%lx, %lx) answered with #UD", vcpu->index, vcpu->exit.code,
			    vcpu->exit.info1, vcpu->exit.info2);
	undefined_exit(vcpu);
}

static void (*const handlers[EXIT_REASONS])(struct vcpu *) = {
	[EXIT_CPUID] = cpuid_exit,
	[EXIT_MSR_READ] = msr_read_exit,
	[EXIT_MSR_WRITE] = msr_write_exit,
	[EXIT_IO] = ioport_exit,
	[EXIT_NESTED_FAULT] = mmio_fault,
	[EXIT_HYPERCALL] = hypercall_exit,
	[EXIT_INTERRUPT] = interrupt_exit,
	[EXIT_NMI] = nmi_exit,
	[EXIT_SMI] = smi_exit,
	[EXIT_INIT] = init_exit,
	[EXIT_WINDOW] = look_again,
	[EXIT_HALT] = look_again,
	[EXIT_EXCEPTION] = look_again,
	[EXIT_UNDEFINED] = undefined_exit,
	[EXIT_INVALIDATE] = invalidate_exit,
	[EXIT_XSETBV] = xsetbv_exit,
	[EXIT_CONTROL_REGISTER] = look_again,
	[EXIT_TASK_SWITCH] = look_again,
	[EXIT_SHUTDOWN] = shutdown_exit,
	[EXIT_INVALID] = invalid_exit,
	[EXIT_OTHER] = other_exit,
};

static void stop_if_all_do(void)
{
	if (power_stopping())
		power_stop_all_cpus();
}

/*
 * in_guest is set first: a request is either seen below or its kick finds us in the guest. Who ends the machine does
 * not wait for a CPU that waits for its start: that one looks again when it has come.
 */
static void before_entry(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->in_guest, 1, __ATOMIC_SEQ_CST);
	stop_if_all_do();
	startup_serve(vcpu);
	stop_if_all_do();
	shootdown_serve(vcpu);
	interrupts_serve(vcpu);
	nmi_serve(vcpu);
}

static void record_exit(struct vcpu *vcpu)
{
	const struct cpu_exit *exit = &vcpu->exit;

	vcpu->record[vcpu->exits++ % EXITS_KEPT] =
		(struct exit_record){vcpu->rip, exit->code, exit->info1, exit->info2};
	vcpu->counter[exit->reason]++;
}

/*
 * Entries that the guest made nothing of are among the first few thousand. Those that an
 * NMI has ended may have been none.
 */
static void run(struct vcpu *vcpu)
{
	uint64_t begin, ticks;

	if (vcpu->exits >= MEASURED_EXITS) {
		backend->run(vcpu);
		return;
	}
	begin = rdtsc();
	backend->run(vcpu);
	ticks = rdtsc() - begin;
	if (vcpu->exit.reason != EXIT_NMI && (!vcpu->switch_ticks || ticks < vcpu->switch_ticks))
		vcpu->switch_ticks = ticks;
}

void vcpu_loop(struct vcpu *vcpu)
{
	const uint64_t guard = vcpu->stack_guard;

	for (;;) {
		before_entry(vcpu);
		run(vcpu);
		__atomic_store_n(&vcpu->watched, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
		record_exit(vcpu);
		handlers[vcpu->exit.reason](vcpu);
		if (vcpu->stack_guard != guard)
			panic(PANIC_STACK, "cpu %u: host stack overflow", vcpu->index);
	}
}
