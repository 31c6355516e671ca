/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/core/vmx_alone.h"
#include "tests/core/platform.h"

#define CODE_LONG 0x00209b0000000000ull
#define DATA_FLAT 0x00cf92000000ffffull /* never accessed */

struct vmx_alone vmx_alone;
const uint64_t vmx_alone_gdt[3] = {0, CODE_LONG, DATA_FLAT};

int vmx_alone_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted)
{
	if (vcpu != &vmx_alone.vcpu || launched != (vmx_alone.entries > 0))
		platform_violation("VMLAUNCH or VMRESUME, whichever is wrong");
	if (*nmi_noted)
		return VMX_NMI_NOTED;
	if (vmx_alone.refused)
		return VMX_REFUSED;
	vmx_alone.entries++;
	vmx_alone.event = vmread(VMCS_ENTRY_EVENT);
	vmx_alone.activity = (uint32_t)vmread(VMCS_ACTIVITY);
	vmx_alone.counters = rdmsr(MSR_PERF_GLOBAL_CTRL);
	wrmsr(MSR_PERF_GLOBAL_CTRL, 0x70000000f - vmx_alone.entries);
	vmx_alone.interrupt_window = vmread(VMCS_PRIMARY) & PRIMARY_INTERRUPT_WINDOW;
	vmx_alone.nmi_window = vmread(VMCS_PRIMARY) & PRIMARY_NMI_WINDOW;
	vmx_alone.interrupts = vmread(VMCS_PIN) & PIN_INTERRUPT;
	model_vmx_exit_field(VMCS_EXIT_REASON, vmx_alone.reason);
	model_vmx_exit_field(VMCS_QUALIFICATION, vmx_alone.qualification);
	model_vmx_exit_field(VMCS_INTERRUPTION, vmx_alone.interruption ? vmx_alone.interruption : EVENT_VALID | EVENT_NMI | EXCEPTION_NMI);
	model_vmx_exit_field(VMCS_VECTORING, vmx_alone.vectoring);
	model_vmx_exit_field(VMCS_VECTORING_ERROR, 0x7);
	model_vmx_exit_field(VMCS_GUEST_PHYSICAL, vmx_alone.physical);
	model_vmx_exit_field(VMCS_INSTRUCTION_BYTES, 2);
	return VMX_EXITED;
}

void vmx_alone_run(uint32_t reason)
{
	vmx_alone.reason = reason;
	vmx_backend.run(&vmx_alone.vcpu);
}

void vmx_alone_start(void)
{
	const struct launch_state launch = {
		.rsp = 0x9000, .rip = VMX_ALONE_RIP, .rflags = RFLAGS_FIXED, .cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP,
		.cr3 = 0x5000, .cr4 = CR4_PAE | CR4_DE, .efer = EFER_LME | EFER_LMA | EFER_NXE,
		.gdt = {sizeof(vmx_alone_gdt) - 1, (uint64_t)vmx_alone_gdt}, .idt = {0xfff, 0x7000}, .es = 0x10, .cs = 8, .ss = 0x10,
		.ds = 0x10,
	};

	cpus_reset(1, false, true, 39, 0);
	memset(&vmx_alone, 0, sizeof(vmx_alone));
	model_vmx.enter = vmx_alone_enter;
	vmx_alone.vcpu.backend = &vmx_alone.state;
	vmx_alone.vcpu.npt.root = vmx_alone.root;
	backend = &vmx_backend;
	vmx_backend.start(&vmx_alone.vcpu, &launch);
}
