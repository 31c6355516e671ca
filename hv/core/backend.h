/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor vendor's virtualisation extension does for the core. svm/ and
 * vmx/ each fill one table; nothing else in the core knows a vendor.
 * All calls are made on the vcpu's own CPU unless said otherwise.
 */
#ifndef HV_CORE_BACKEND_H
#define HV_CORE_BACKEND_H

#include "hv/core/vcpu.h"
#include "hv/x86/registers.h"
#include "hv/x86/segment.h"

/* The firmware's state at the moment of the take-over: the guest goes on exactly there. */
struct launch_state {
	uint64_t rsp, rip, rflags;
	uint64_t cr0, cr3, cr4, efer;
	struct descriptor_table gdt, idt;
	uint16_t es, cs, ss, ds;
};

enum window {
	WINDOW_PASS,            /* for what is pending */
	WINDOW_HALT,            /* until something comes */
	WINDOW_INTERRUPT,       /* for what is pending, and for one external interrupt with it */
	WINDOW_GUEST_REGISTERS, /* for what is pending, with vcpu->gpr loaded, and stored again after it */
};

/* Registers that are not the guest's alone. A NULL handler, or one that returns false: #GP. */
struct msr_rule {
	uint32_t first, last;
	bool trap_read, trap_write;
	bool (*read)(struct vcpu *vcpu, uint64_t *value);
	bool (*write)(struct vcpu *vcpu, uint64_t value);
	const char *reason;
};

struct cpu_backend {
	char name[8];
	/* Whether this CPU has the extension at all; what it lacks beyond that, in words for a person, NULL: nothing. */
	bool (*present)(void);
	const char *(*missing)(void);
	/* Bytes of page-aligned zeroed memory that vcpu->backend points to. */
	uint32_t state_bytes;
	/* What the entries of nested page tables look like; once, before there are any. */
	void (*npt_format)(struct npt_format *out);
	/* Turns the extension on and builds the control block from `launch`. Host tables are loaded already. */
	void (*start)(struct vcpu *vcpu, const struct launch_state *launch);
	/* Enters the guest until the next exit, with vcpu->event; fills vcpu->exit, event, gpr, rip, rflags. */
	void (*run)(struct vcpu *vcpu);
	/* Paging state for walks; segment bases and mode for the executor. */
	void (*paging)(struct vcpu *vcpu, struct walk_cpu *out);
	void (*insn_cpu)(struct vcpu *vcpu, struct insn_cpu *out);
	/* A segment register, as the processor holds it. */
	void (*segment)(struct vcpu *vcpu, enum insn_segment which, struct segment *out);
	/*
	 * Whether an NMI can be given at the next entry. Where not, there is an exit as soon as it can;
	 * asked again before each entry as long as one waits.
	 */
	bool (*takes_nmi)(struct vcpu *vcpu);
	/* Whether there is EXIT_INTERRUPT when an external interrupt could be delivered to the guest. */
	void (*watch_interrupts)(struct vcpu *vcpu, bool on);
	/*
	 * Gives the guest an external interrupt as soon as it takes any, in place of the one that it has
	 * been given and has not taken, which pending_interrupt names; negative: none.
	 */
	void (*pend_interrupt)(struct vcpu *vcpu, uint8_t vector);
	int (*pending_interrupt)(struct vcpu *vcpu);
	/* Asks for an exit when the guest may take an interrupt behind that one, or at its handler's return. */
	void (*watch_return)(struct vcpu *vcpu);
	/* The instruction at rip has been emulated: drop the interrupt shadow and RF. Callers: hv/core/retire.c. */
	void (*retired)(struct vcpu *vcpu);
	/* Architectural state after INIT, but for what stands in the vcpu and DR0 to DR3; then a start-up at vector << 12. */
	void (*reset)(struct vcpu *vcpu);
	void (*startup)(struct vcpu *vcpu, uint8_t vector);
	/*
	 * Waits where the guest's start-up interrupts reach the processor itself: the vector of one; negative:
	 * an NMI had come before, and waits for the window. NULL where they cannot be seen.
	 */
	int (*await_sipi)(struct vcpu *vcpu);
	/* Drop all translations before the next entry. */
	void (*flush)(struct vcpu *vcpu);
	void (*write_cr2)(struct vcpu *vcpu, uint64_t value);
	uint64_t (*read_cr4)(struct vcpu *vcpu);
	uint64_t (*read_dr6)(struct vcpu *vcpu);
	void (*write_dr6)(struct vcpu *vcpu, uint64_t value);
	uint64_t (*read_dr7)(struct vcpu *vcpu);
	uint8_t (*cpl)(struct vcpu *vcpu);
	/* Whether the guest single-steps or has breakpoints: its instructions are the processor's to execute. */
	bool (*debugged)(struct vcpu *vcpu);
	/* Opens the window in which pending NMIs are counted (vcpu->host_nmis), and SMIs reach the firmware. */
	void (*window)(struct vcpu *vcpu, enum window window);
	/* An NMI has hit the host at `rip`: counts it, now or when the window is next open, and tells where to go on. */
	uint64_t (*host_nmi)(struct vcpu *vcpu, uint64_t rip);
	/* Permission maps, shared by all CPUs. Of ports, which any CPU may trap: in force for each at its next entry. */
	void (*trap_port)(uint16_t first, uint16_t last);
	/* Init only. */
	void (*trap_msr)(uint32_t index, bool read, bool write);
	/* The registers that are the extension's own, and what of CPUID tells of it. */
	const struct msr_rule *msr_rules;
	uint32_t msr_rule_count;
	void (*hide_from_cpuid)(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result);
};

extern const struct cpu_backend svm_backend;
extern const struct cpu_backend vmx_backend;

/* The one in use, chosen at start. */
extern const struct cpu_backend *backend;

#endif
