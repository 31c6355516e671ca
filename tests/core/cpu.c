/* SPDX-License-Identifier: Apache-2.0 */
/* Coroutines, VMRUN and its relatives. */
#include "tests/core/cpu.h"
#include "hv/svm/svm.h"
#include "hv/vmx/vmcs.h"
#include "tests/core/platform.h"
#include "tests/core/vmx.h"
#include <sched.h>

#define SPINS_MAX 1000000u

struct model_cpu cpus[MODEL_CPUS];
unsigned cpu_count;
bool cpus_threaded, cpus_have_vmx, cpus_have_huge_pages, cpus_keep_x2apic;

static __thread struct model_cpu *now;

/* AddressSanitizer wants to know of stacks that are switched; without it they are not there. */
void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t bytes) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *bytes) __attribute__((weak));

/* run.S and host_entry.S have them elsewhere. */
const uint8_t svm_window_halt[1], svm_window_end[1], host_stubs[256 * 16];
void host_nmi(uint64_t *rip);
void host_interrupt(uint32_t vector);

struct model_cpu *cpu_now(void)
{
	return now;
}

static void resume(struct model_cpu *cpu)
{
	struct model_cpu *before = now;
	ucontext_t here, *outer = cpu->resumer;
	void *save = NULL;

	cpu->resumer = &here;
	now = cpu;
	if (__sanitizer_start_switch_fiber)
		__sanitizer_start_switch_fiber(&save, cpu->vcpu, CPU_AREA_BYTES);
	swapcontext(&here, &cpu->hypervisor);
	if (__sanitizer_finish_switch_fiber)
		__sanitizer_finish_switch_fiber(save, NULL, NULL);
	cpu->resumer = outer;
	now = before;
}

/* On the hypervisor's stack: back to the driver, until it resumes us. */
static void leave(struct model_cpu *cpu, enum cpu_state state)
{
	__atomic_store_n(&cpu->state, state, __ATOMIC_SEQ_CST);
	if (__sanitizer_start_switch_fiber)
		__sanitizer_start_switch_fiber(&cpu->fake_stack, cpu->driver_stack, cpu->driver_stack_bytes);
	swapcontext(&cpu->hypervisor, cpu->resumer);
	if (__sanitizer_finish_switch_fiber)
		__sanitizer_finish_switch_fiber(cpu->fake_stack, &cpu->driver_stack, &cpu->driver_stack_bytes);
}

void cpu_leave(enum cpu_state state)
{
	leave(now, state);
}

static void enter(unsigned index, unsigned start_low, unsigned start_high)
{
	struct model_cpu *cpu = &cpus[index];
	void (*start)(void) = (void (*)(void))((uint64_t)start_high << 32 | start_low);

	if (__sanitizer_finish_switch_fiber)
		__sanitizer_finish_switch_fiber(NULL, &cpu->driver_stack, &cpu->driver_stack_bytes);
	start();
	platform_violation("cpu %u left the hypervisor", index);
}

void cpu_start(struct model_cpu *cpu, uint64_t stack_top, void (*start)(void))
{
	uint64_t base = (uint64_t)cpu->vcpu + sizeof(struct vcpu);

	getcontext(&cpu->hypervisor);
	cpu->hypervisor.uc_stack.ss_sp = (void *)base;
	cpu->hypervisor.uc_stack.ss_size = stack_top - base;
	makecontext(&cpu->hypervisor, (void (*)(void))enter, 3, cpu->index, (unsigned)(uint64_t)start,
		(unsigned)((uint64_t)start >> 32));
	resume(cpu);
}

void cpu_exit(struct model_cpu *cpu, uint64_t code, uint64_t info1, uint64_t info2)
{
	struct vmcb *vmcb = cpu->vmcb;

	if (cpu->state != CPU_IN_GUEST)
		platform_violation("exit %lx of cpu %u, which is not in the guest", code, cpu->index);
	if (cpus_have_vmx) {
		model_vmx_exit(cpu, code, info1, info2);
		resume(cpu);
		return;
	}
	vmcb->exit_code = code;
	vmcb->exit_info1 = info1;
	vmcb->exit_info2 = info2;
	vmcb->rax = cpu->vcpu->gpr[0];
	vmcb->rsp = cpu->vcpu->gpr[4];
	vmcb->rip = cpu->vcpu->rip;
	vmcb->rflags = cpu->vcpu->rflags;
	resume(cpu);
}

void cpu_wake(struct model_cpu *cpu)
{
	if (cpu->state == CPU_WAITING && __atomic_load_n(&cpu->nmi_pending, __ATOMIC_SEQ_CST))
		resume(cpu);
}

bool cpus_take_nmis(void)
{
	bool any = false;

	for (unsigned i = 0; i < cpu_count; i++) {
		if (&cpus[i] == now || (cpus_have_vmx && model_vmx_waits(&cpus[i])) || !__atomic_load_n(&cpus[i].nmi_pending, __ATOMIC_SEQ_CST))
			continue;
		if (cpus[i].state == CPU_IN_GUEST)
			cpu_exit(&cpus[i], VMEXIT_NMI, 0, 0);
		else if (cpus[i].state == CPU_WAITING)
			cpu_wake(&cpus[i]);
		else
			continue;
		any = true;
	}
	return any;
}

/* One, the highest, where they are let in and none as high is in service: the handler returns with interrupts off. */
static void take_interrupt(struct model_cpu *cpu)
{
	for (int vector = 255; cpu->interrupts_open && vector >= 16; vector--)
		if (cpu->interrupts[vector / 64] >> vector % 64 & 1 && cpu_serves_now(cpu, (uint8_t)vector)) {
			cpu_serve(cpu, (uint8_t)vector);
			cpu->interrupts[vector / 64] &= ~(1ull << vector % 64);
			cpu->interrupts_open = false;
			host_interrupt((uint32_t)vector);
		}
}

/* Whoever spins waits for other CPUs: they get their turn. Interrupts come in where they are let in. */
void cpu_pause(void)
{
	static unsigned spins;

	if (now && now->interrupts_open)
		take_interrupt(now);
	if (cpus_threaded)
		sched_yield();
	else if (cpus_take_nmis())
		spins = 0;
	else if (++spins > SPINS_MAX)
		platform_violation("cpu %d spins for good", now ? (int)now->index : -1);
}

void cpu_halt(void)
{
	leave(now, CPU_STOPPED);
	platform_violation("a CPU that was halted for good goes on");
}

/* ---- AMD-V ------------------------------------------------------------------------------------------ */

void svm_enter(struct vcpu *vcpu, uint64_t vmcb_pa)
{
	struct model_cpu *cpu = now;
	struct vmcb *vmcb = (struct vmcb *)vmcb_pa;

	if (cpu->vcpu != vcpu || vmcb != &((struct svm_state *)vcpu->backend)->vmcb)
		platform_violation("VMRUN of another CPU's guest");
	if (!(vmcb->efer & EFER_SVME) || !vmcb->asid || !(vmcb->intercepts2 & VMCB_VMRUN))
		platform_violation("a control block that VMRUN refuses");
	cpu->flushes += vmcb->tlb_control == VMCB_TLB_FLUSH_ALL;
	cpu->event = vmcb->event_injection & EVENT_VALID ? vmcb->event_injection : 0;
	vmcb->event_injection = 0;
	vmcb->exit_int_info = 0;
	vcpu->gpr[0] = vmcb->rax;
	vcpu->gpr[4] = vmcb->rsp;
	leave(cpu, CPU_IN_GUEST);
}

void svm_nmi_window(bool halt)
{
	struct model_cpu *cpu = now;
	uint64_t rip = (uint64_t)svm_window_halt;

	while (halt && !__atomic_load_n(&cpu->nmi_pending, __ATOMIC_SEQ_CST))
		leave(cpu, CPU_WAITING);
	if (__atomic_exchange_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST))
		host_nmi(&rip);
	take_interrupt(cpu);
}

bool cpu_interrupt(struct model_cpu *cpu, uint8_t vector)
{
	cpu->interrupts[vector / 64] |= 1ull << vector % 64;
	if (!cpu_serves_now(cpu, vector))
		return false;
	if (cpus_have_vmx ? !(model_vmx_field(cpu, VMCS_PIN) & PIN_INTERRUPT) : !(cpu->vmcb->intercepts1 & VMCB_INTR))
		return false;
	cpu_exit(cpu, VMEXIT_INTR, 0, 0);
	return true;
}

int cpu_take_interrupt(struct model_cpu *cpu)
{
	uint64_t vintr = cpu->vmcb->vintr;

	if (!(vintr & VMCB_V_IRQ) || !(vintr & VMCB_V_IGN_TPR))
		return -1;
	cpu->vmcb->vintr &= ~VMCB_V_IRQ;
	return VMCB_V_VECTOR_OF(vintr);
}

/* The firmware's handler looks at the guest's registers, and may change them. */
void svm_smi_window(struct vcpu *vcpu)
{
	if (now->vcpu != vcpu)
		platform_violation("an SMI with another CPU's registers");
	if (now->smi_handler)
		now->smi_handler(vcpu->gpr);
	svm_nmi_window(false);
}

void svm_clgi(void)
{
}

void svm_vmsave(void *vmcb)
{
	((struct vmcb *)vmcb)->fs = now->fs;
	((struct vmcb *)vmcb)->gs = now->gs;
}

void svm_vmload(void *vmcb)
{
	now->fs = ((const struct vmcb *)vmcb)->fs;
	now->gs = ((const struct vmcb *)vmcb)->gs;
}
