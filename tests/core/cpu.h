/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model processors. Each runs the hypervisor on the vcpu's own stack, as a coroutine:
 * VMRUN goes back to whoever drives the guest, and the guest's next exit goes on
 * from there. Several are driven by turns in one thread, or each by a thread of its own.
 */
#ifndef TESTS_CORE_CPU_H
#define TESTS_CORE_CPU_H

#include "hv/core/vcpu.h"
#include "hv/svm/vmcb.h"
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#define MODEL_CPUS 4

enum cpu_state {
	CPU_IN_GUEST, /* between VMRUN and the next exit */
	CPU_WAITING,  /* halted in the window for NMIs: a vcpu that waits for its start */
	CPU_STOPPED,  /* halted for good */
};

struct sent_interrupt {
	uint32_t low, destination;
};

struct model_cpu {
	uint32_t index, apic_id;
	enum cpu_state state;
	struct vcpu *vcpu;
	struct vmcb *vmcb;
	uint64_t event; /* what the last VMRUN was told to inject, 0 when nothing */
	uint32_t nmi_pending;
	uint64_t interrupts[4]; /* external ones that wait in the local APIC, by vector */
	bool interrupts_open;   /* IF in the host */
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t breakpoint[4]; /* DR0 to DR3 */
	uint64_t xcr0, apic_base, efer, vm_cr, hsave, mcg_status;
	struct vmcb_segment fs, gs; /* VMRUN leaves them alone */
	uint32_t lapic[256]; /* by offset / 16 */
	/* What really went out by this CPU's ICR. */
	struct sent_interrupt sent[16];
	unsigned sent_count;
	unsigned flushes; /* entries that drop all translations */
	unsigned write_backs;
	void (*smi_handler)(uint64_t *gpr); /* the firmware's, or NULL */
	ucontext_t hypervisor, *resumer;
	void *fake_stack; /* AddressSanitizer's, while it does not run */
	const void *driver_stack;
	size_t driver_stack_bytes;
};

extern struct model_cpu cpus[MODEL_CPUS];
extern unsigned cpu_count;
extern bool cpus_have_vmx; /* ... and not SVM: exits are given by SVM's codes all the same (vmx.c) */
extern bool cpus_have_huge_pages; /* of 1 GiB */
extern bool cpus_keep_x2apic; /* ... mode, once they are in it: IA32_XAPIC_DISABLE_STATUS */
extern bool cpus_threaded; /* each CPU is driven by its own thread: spinning waits for the others */

/* CPUs as firmware leaves them; `x2apic`: in that mode; `vmx`: Intel's; `cr4`: with these bits as well. */
void cpus_reset(unsigned count, bool x2apic, bool vmx, unsigned physical_bits, uint64_t cr4);

/* Runs `start` on the stack below `stack_top`, as this CPU, until it comes to VMRUN or a halt. */
void cpu_start(struct model_cpu *cpu, uint64_t stack_top, void (*start)(void));

/* The guest's exit, then the hypervisor until the next VMRUN or halt. The CPU must be in the guest. */
void cpu_exit(struct model_cpu *cpu, uint64_t code, uint64_t info1, uint64_t info2);

/* Goes on with a CPU that waits for an NMI, when there is one; nothing otherwise. */
void cpu_wake(struct model_cpu *cpu);

/* Takes the NMIs that have come: exits of CPUs in the guest, wake-ups of waiting ones. Whether there were any. */
bool cpus_take_nmis(void);

/* An external interrupt comes: an exit where the CPU is watched for it and none as high is in service; else nothing. */
bool cpu_interrupt(struct model_cpu *cpu, uint8_t vector);
/* The end of the one in service: the guest's, unseen. */
void cpu_end_of_interrupt(struct model_cpu *cpu);
/* For cpu.c and registers.c: the local APIC hands one over, and whether it would; a register is written; a command goes out. */
void cpu_serve(struct model_cpu *cpu, uint8_t vector);
bool cpu_serves_now(const struct model_cpu *cpu, uint8_t vector);
void cpu_lapic_set(struct model_cpu *cpu, uint32_t offset, uint32_t value);
void cpu_lapic_send(struct model_cpu *from, uint32_t low, uint32_t destination);
/* The virtual interrupt that the guest takes now, -1 when there is none. */
int cpu_take_interrupt(struct model_cpu *cpu);

/* The hypervisor enters the guest: back to whoever drives it, until the next exit. */
void cpu_leave(enum cpu_state state);

/* The CPU whose hypervisor runs. */
struct model_cpu *cpu_now(void);

uint32_t cpu_lapic_read(uint32_t offset);
void cpu_lapic_write(uint32_t offset, uint32_t value);

#endif
