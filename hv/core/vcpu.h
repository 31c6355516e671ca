/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtual CPU per processor, pinned to it for good. The structure stands at
 * the bottom of its host stack, so that this_vcpu() needs no register.
 */
#ifndef HV_CORE_VCPU_H
#define HV_CORE_VCPU_H

#include "hv/core/npt.h"
#include "hv/x86/decode.h"
#include "hv/x86/walk.h"
#include <stdbool.h>
#include <stdint.h>

#define CPU_AREA_BYTES 32768 /* vcpu and host stack; a power of two, the area is aligned to it */

enum exit_reason {
	EXIT_CPUID,
	EXIT_MSR_READ,
	EXIT_MSR_WRITE,
	EXIT_IO,
	EXIT_NESTED_FAULT,
	EXIT_HYPERCALL,
	EXIT_INTERRUPT, /* an external interrupt, on a CPU that is watched for them */
	EXIT_NMI,
	EXIT_SMI, /* system management mode is wanted: it is taken in the host */
	EXIT_INIT,
	EXIT_WINDOW,    /* what the backend had been asked to wait for has come: look again what waits */
	EXIT_HALT,      /* HLT, with an interrupt given that has not been taken; the backend has dealt with it */
	EXIT_TASK_SWITCH, /* by the backend as well */
	EXIT_UNDEFINED, /* an instruction the guest's processor does not have */
	EXIT_INVALIDATE, /* INVD */
	EXIT_XSETBV,
	EXIT_CONTROL_REGISTER, /* a bit of one that is not the guest's alone; the backend has dealt with it */
	EXIT_EXCEPTION, /* #AC or #DB: the guest's own, which gets it from the backend, or the end of a step of the backend's */
	EXIT_SHUTDOWN,  /* triple fault */
	EXIT_INVALID,   /* the processor refused the guest's state */
	EXIT_OTHER,
	EXIT_REASONS
};

/* What is counted beside exits. */
enum extra_counter {
	EXTRA_RUN_AHEAD,        /* an access that run-ahead reached: an exit saved */
	EXTRA_RUN_AHEAD_MISSED, /* run-ahead stopped before one */
	EXTRA_COUNTERS
};

struct cpu_exit {
	enum exit_reason reason;
	uint64_t code, info1, info2; /* as the processor gave them, for the log */
	union {
		struct {
			uint16_t port;
			uint8_t size;
			bool in, string, repeat;
			uint64_t next_rip;
		} io;
		struct {
			uint64_t gpa;
			bool write, fetch;
		} fault;
	};
};

/* The last exits, for a crash dump. */
#define EXITS_KEPT 16
struct exit_record {
	uint64_t rip, code, info1, info2;
};

/* Where the vcpu is in the life that INIT and SIPI give it. */
enum vcpu_life { VCPU_RUNNING, VCPU_WAIT_FOR_SIPI };

#define SIPI_NONE 0x100u

struct vcpu {
	uint64_t gpr[16]; /* first: guest_registers.h knows the offsets. Encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
	uint64_t rip, rflags;
	uint64_t event; /* taken at the next entry, see event.h */
	struct cpu_exit exit;

	uint32_t index, apic_id;
	struct npt npt;
	uint32_t missing_tables; /* that mmio_map_missing may still take */
	void *backend; /* the backend's own state */
	enum vcpu_life life;
	bool online;  /* it has entered the guest once */
	bool counted; /* its start by the system has been counted */

	/* Written by other CPUs. */
	uint32_t in_guest;      /* 1 from before the last look at the requests below until the next exit */
	uint32_t kicks_begun;   /* NMIs of ours to this CPU: about to be sent ... */
	uint32_t kicks_done;    /* ... and certain to have reached it */
	uint32_t kicks_taken;   /* its own count of those that it has taken, see nmi_collect */
	uint64_t flush_wanted;  /* generation of translations to drop ... */
	uint64_t flush_done;    /* ... and the last one dropped */
	uint32_t init_pending;  /* an INIT was sent */
	uint32_t sipi_pending;  /* vector, or SIPI_NONE */
	bool system_started;    /* ... sent by the system, not by the firmware */
	uint32_t nmi_requested; /* an NMI was sent by ICR */
	uint32_t watches;       /* it is to exit at interrupts as long as there are any, see interrupts.h ... */

	uint32_t passing;       /* odd while it accesses a port for the guest that no hook has */
	uint32_t watched;       /* ... and it does: 0 outside the guest */
	uint64_t taken[4];      /* interrupts by vector: the host has taken them, the guest is to get them */
	bool nmi_pending;       /* the guest's own, see nmi.c */
	uint32_t logical_id, logical_format; /* its LDR and DFR, as far as the guest wrote them */
	uint8_t breakpoints;           /* hit by the instruction that we carry out, see retire.h */
	uint32_t host_nmis;            /* counted by the host's NMI handler */
	bool stopped;                  /* it runs nothing any more, for good */
	const struct host_frame *fault; /* of an exception in the host, NULL before */

	uint64_t counter[EXIT_REASONS];
	uint64_t counter_extra[EXTRA_COUNTERS];
	uint64_t exits;
	uint64_t switch_ticks; /* TSC ticks that entering the guest and leaving it takes at least, as seen so far */
	struct exit_record record[EXITS_KEPT]; /* exit n at n % EXITS_KEPT */

	uint64_t stack_guard;
};

/* The vcpu of the calling CPU; valid on a host stack only. */
static inline struct vcpu *this_vcpu(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (struct vcpu *)(rsp & ~(uint64_t)(CPU_AREA_BYTES - 1));
}

/* All vcpus, by index; filled at start, constant afterwards. */
extern struct vcpu *vcpus[];
extern uint32_t vcpu_count;

/* The exit loop; never returns. On the vcpu's host stack. */
void vcpu_loop(struct vcpu *vcpu) __attribute__((noreturn));

#endif
