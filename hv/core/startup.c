/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/startup.h"
#include "hv/core/backend.h"
#include "hv/core/interrupts.h"
#include "hv/core/lapic.h"
#include "hv/core/lapic_registers.h"
#include "hv/core/log.h"
#include "hv/core/nmi.h"
#include "hv/core/power.h"
#include "hv/core/shootdown.h"
#include <string.h>

#define APIC_BASE_BOOT_CPU (1ull << 8)

/* A SIPI sent before this INIT is void. */
void startup_init(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->sipi_pending, SIPI_NONE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->init_pending, 1, __ATOMIC_SEQ_CST);
	if (vcpu != this_vcpu())
		vcpu_kick(vcpu);
}

/*
 * A CPU that does not wait for it ignores a SIPI: the second of INIT-SIPI-SIPI. The
 * order of the two looks is that in which the target goes on from the one to the other:
 * looked at the other way round it would be seen before its INIT, and then after it.
 */
void startup_sipi(struct vcpu *vcpu, uint8_t vector)
{
	if (!__atomic_load_n(&vcpu->init_pending, __ATOMIC_SEQ_CST) &&
	    __atomic_load_n(&vcpu->life, __ATOMIC_SEQ_CST) != VCPU_WAIT_FOR_SIPI)
		return;
	__atomic_store_n(&vcpu->sipi_pending, vector, __ATOMIC_SEQ_CST);
	vcpu_wake(vcpu);
}

static void reset_registers(struct vcpu *vcpu)
{
	memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
	vcpu->gpr[2] = cpuid(1, 0).eax; /* rdx: family, model, stepping */
	vcpu->rip = 0xfff0;
	vcpu->rflags = RFLAGS_FIXED;
	vcpu->event = 0;
	clear_breakpoints();
}

/* Whether start-up interrupts reach the processor itself: the trap on the command register of x2APIC mode stays. */
static bool starts_are_real(void)
{
	return lapic_is_lifted() && !lapic_x2apic() && backend->await_sipi;
}

static void reset_lapic(struct vcpu *vcpu)
{
	lapic_reset(vcpu);
	interrupts_reset(vcpu);
}

/* INIT on the boot CPU starts the firmware over, without us: that is a reset, keys and all. */
static void enter_init(struct vcpu *vcpu, bool with_lapic)
{
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_BOOT_CPU)
		power_reset("INIT on the boot CPU");
	reset_registers(vcpu);
	backend->reset(vcpu);
	if (with_lapic)
		reset_lapic(vcpu);
	nmi_reset(vcpu);
	__atomic_store_n(&vcpu->life, VCPU_WAIT_FOR_SIPI, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
}

/* A vector, or SIPI_NONE when something else has come. */
static uint32_t await_start(struct vcpu *vcpu)
{
	bool real = starts_are_real();
	int vector = real ? backend->await_sipi(vcpu) : -1;

	nmi_collect(vcpu, real ? WINDOW_PASS : WINDOW_HALT);
	return vector >= 0 ? (uint32_t)vector : SIPI_NONE;
}

/* A real start-up interrupt is lost until the CPU waits for it, so the wait begins first, and the local APIC is reset after it. */
void startup_serve(struct vcpu *vcpu)
{
	bool lapic_later = false;

	for (;;) {
		/* The flag goes down after the new life has begun: a SIPI between them would be ignored. */
		if (__atomic_load_n(&vcpu->init_pending, __ATOMIC_SEQ_CST)) {
			lapic_later = starts_are_real();
			enter_init(vcpu, !lapic_later);
			__atomic_store_n(&vcpu->init_pending, 0, __ATOMIC_SEQ_CST);
		}
		if (vcpu->life == VCPU_RUNNING)
			return;

		uint32_t vector = __atomic_exchange_n(&vcpu->sipi_pending, SIPI_NONE, __ATOMIC_SEQ_CST);

		if (vector == SIPI_NONE)
			vector = await_start(vcpu);
		if (vector == SIPI_NONE)
			continue;
		if (lapic_later)
			reset_lapic(vcpu);
		/* An NMI that came before the start is void, as the INIT before. */
		nmi_reset(vcpu);
		backend->startup(vcpu, (uint8_t)vector);
		__atomic_store_n(&vcpu->life, VCPU_RUNNING, __ATOMIC_SEQ_CST);
		log_debug("cpu %u: started at %x000", vcpu->index, vector);
		lapic_started(vcpu);
		/* Once more around: an INIT that came before in_guest was set has not kicked. */
		__atomic_store_n(&vcpu->in_guest, 1, __ATOMIC_SEQ_CST);
	}
}
