/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor vendor's virtualisation extension does for the core. svm/ and
 * (later) vmx/ each fill one table; nothing else in the core knows a vendor.
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

struct cpu_backend {
	char name[8];
	/* Whether this CPU has what is needed and firmware has not disabled it. */
	bool (*supported)(void);
	/* Bytes of page-aligned zeroed memory that vcpu->backend points to. */
	uint32_t state_bytes;
	/* Turns the extension on and builds the control block from `launch`. Host tables are loaded already. */
	void (*start)(struct vcpu *vcpu, const struct launch_state *launch);
	/* Enters the guest until the next exit; fills vcpu->exit, gpr, rip, rflags. */
	void (*run)(struct vcpu *vcpu);
	/* Paging state for walks; segment bases and mode for the executor. */
	void (*paging)(struct vcpu *vcpu, struct walk_cpu *out);
	void (*insn_cpu)(struct vcpu *vcpu, struct insn_cpu *out);
	/* A segment register, as the processor holds it. */
	void (*segment)(struct vcpu *vcpu, enum insn_segment which, struct segment *out);
	/* Events taken at the next entry. A pending injection is replaced. */
	void (*inject_exception)(struct vcpu *vcpu, enum exception vector, bool has_error, uint32_t error);
	void (*inject_page_fault)(struct vcpu *vcpu, uint64_t address, uint32_t error);
	bool (*injection_pending)(struct vcpu *vcpu);
	void (*inject_nmi)(struct vcpu *vcpu);
	/* Whether there is EXIT_IRET before each IRET. */
	void (*watch_iret)(struct vcpu *vcpu, bool on);
	/* Whether there is EXIT_HALT at each HLT. */
	void (*watch_halt)(struct vcpu *vcpu, bool on);
	/* Whether there is EXIT_INTERRUPT when an external interrupt could be delivered to the guest. */
	void (*watch_interrupts)(struct vcpu *vcpu, bool on);
	/*
	 * Gives the guest an external interrupt as soon as it takes any, in place of the one that it has
	 * been given and has not taken, which pending_interrupt names; negative: none.
	 */
	void (*pend_interrupt)(struct vcpu *vcpu, uint8_t vector);
	int (*pending_interrupt)(struct vcpu *vcpu);
	/* Asks for EXIT_EXCEPTION after the next instruction. */
	void (*step)(struct vcpu *vcpu);
	/* EXIT_EXCEPTION: injects what is the guest's own. */
	void (*exception)(struct vcpu *vcpu);
	/* #DB as a trap: `causes` are the bits of DR6. */
	void (*inject_debug)(struct vcpu *vcpu, uint64_t causes);
	/* The instruction at rip has been emulated: drop the interrupt shadow and RF. Callers: hv/core/retire.c. */
	void (*retired)(struct vcpu *vcpu);
	/* Architectural state after INIT; then a start-up at vector << 12. */
	void (*reset)(struct vcpu *vcpu);
	void (*startup)(struct vcpu *vcpu, uint8_t vector);
	/* Drop all translations before the next entry. */
	void (*flush)(struct vcpu *vcpu);
	uint64_t (*read_efer)(struct vcpu *vcpu);
	void (*write_efer)(struct vcpu *vcpu, uint64_t value);
	uint64_t (*read_cr4)(struct vcpu *vcpu);
	uint64_t (*read_dr7)(struct vcpu *vcpu);
	uint8_t (*cpl)(struct vcpu *vcpu);
	/* Whether the guest single-steps or has breakpoints: its instructions are the processor's to execute. */
	bool (*debugged)(struct vcpu *vcpu);
	/* Opens the window in which pending NMIs reach the host's handler, and SMIs the firmware's. */
	void (*window)(struct vcpu *vcpu, enum window window);
	/* Where the host goes on after an NMI that hit it at `rip`: past the halt of the window. */
	uint64_t (*after_nmi)(uint64_t rip);
	/* Permission maps. Of ports, which any CPU may trap when all vcpus are made: in force for each at its next entry. */
	void (*trap_port)(uint16_t first, uint16_t last);
	/*
	 * Whether one CPU reaches ports that are trapped without an exit. Any CPU; in force likewise.
	 * NULL where all CPUs share one map.
	 */
	void (*pass_port)(struct vcpu *vcpu, uint16_t first, uint16_t last, bool passes);
	/* Init only. */
	void (*trap_msr)(uint32_t index, bool read, bool write);
};

extern const struct cpu_backend svm_backend;

/* The one in use, chosen at start. */
extern const struct cpu_backend *backend;

#endif
