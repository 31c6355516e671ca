/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/startup.h"
#include "hv/core/backend.h"
#include "hv/core/interrupts.h"
#include "hv/core/lapic.h"
#include "hv/core/log.h"
#include "hv/core/nmi.h"
#include "hv/core/power.h"
#include "hv/core/shootdown.h"

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

/* INIT on the boot CPU starts the firmware over, without us: that is a reset, keys and all. */
static void enter_init(struct vcpu *vcpu)
{
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_BOOT_CPU)
		power_reset("INIT on the boot CPU");
	backend->reset(vcpu);
	lapic_reset(vcpu);
	interrupts_reset(vcpu);
	nmi_reset(vcpu);
	__atomic_store_n(&vcpu->life, VCPU_WAIT_FOR_SIPI, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->in_guest, 0, __ATOMIC_SEQ_CST);
}

void startup_serve(struct vcpu *vcpu)
{
	for (;;) {
		/* The flag goes down after the new life has begun: a SIPI between them would be ignored. */
		if (__atomic_load_n(&vcpu->init_pending, __ATOMIC_SEQ_CST)) {
			enter_init(vcpu);
			__atomic_store_n(&vcpu->init_pending, 0, __ATOMIC_SEQ_CST);
		}
		if (vcpu->life == VCPU_RUNNING)
			return;

		uint32_t vector = __atomic_exchange_n(&vcpu->sipi_pending, SIPI_NONE, __ATOMIC_SEQ_CST);

		if (vector == SIPI_NONE) {
			nmi_collect(vcpu, WINDOW_HALT);
			continue;
		}
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
