/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor with VT-x, or an emulator of one, does with interrupts, INIT and SIPI: the rules that hv/vmx/ follows,
 * as `what = value` lines. Bare, without the hypervisor.
 *
 * A trial is an entry into code of this program that shares all but a stack with its host: page tables, descriptor
 * tables, local APIC. There is no nested paging.
 */
#ifndef TESTS_GUEST_VMX_H
#define TESTS_GUEST_VMX_H

#include "hv/vmx/capability.h"
#include "tests/guest/lib/cpus.h"
#include "tests/guest/lib/lapic.h"

struct trial {
	void (*code)(void); /* ends by vmx_leave(), if nothing ends it before */
	uint32_t pin, primary, exit; /* controls beside those that must be */
	uint32_t activity;
	bool interrupts; /* IF */
	/* Out: */
	volatile bool ended;
	uint32_t reason;
	uint64_t qualification, information;
};

#define TRIAL_REFUSED 0xffffu /* the reason of an entry that fails as an instruction */

/* On the calling CPU. Between them it is in VMX root operation. */
void vmx_on(void);
void vmx_off(void);
void vmx_try(struct trial *trial);

static inline void vmx_leave(void)
{
	__asm__ volatile("vmcall");
}

/* One a file. */
void theme_interrupts(void);
void theme_starts(void);
/* Last: it may leave a local APIC that lets no more interrupts through. In interrupts.c. */
void theme_spurious(void);

#endif
