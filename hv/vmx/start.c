/* SPDX-License-Identifier: Apache-2.0 */
/* Turning VMX on, and the control structure: the guest goes on where the CPU stands. SDM volume 3, 24.7, 25.4 to 25.8, 27.2. */
#include "hv/core/panic.h"
#include "hv/vmx/ept.h"
#include "hv/vmx/vmx.h"
#include "hv/x86/attempt.h"

#define BASIC_REVISION  0x7fffffffu
#define CPUID_XSAVE     (1u << 26)
#define ACCESSED        1u
#define BUSY_TSS        0x8bu
#define HOST_TR         0x18u /* any selector but 0: an exit loads what the structure says, and no descriptor */

/* A null selector's segment is unusable; a usable one must have been accessed. */
static void load_segment(enum vmcs_segment which, uint16_t selector, const struct descriptor_table *gdt)
{
	struct vmx_segment to = {.selector = selector, .rights = RIGHTS_UNUSABLE};
	struct segment segment;

	if (segment_read(gdt, selector, &segment)) {
		to.rights = segment.attributes | ACCESSED;
		to.limit = segment.limit;
		to.base = segment.base;
	}
	vmx_set_segment(which, &to);
}

/* An entry wants a task register, whatever the firmware has; the firmware has no use for either. */
static void load_system_segments(const struct descriptor_table *gdt)
{
	const struct vmx_segment task = {0, 0x67, BUSY_TSS, 0}, none = {0, 0, RIGHTS_UNUSABLE, 0};
	uint16_t fs, gs, ldtr, tr;

	read_system_selectors(&fs, &gs, &ldtr, &tr);
	load_segment(VMCS_FS, fs, gdt);
	load_segment(VMCS_GS, gs, gdt);
	vmwrite(VMCS_GUEST_BASE + 2 * VMCS_FS, rdmsr(MSR_FS_BASE));
	vmwrite(VMCS_GUEST_BASE + 2 * VMCS_GS, rdmsr(MSR_GS_BASE));
	vmx_set_segment(VMCS_LDTR, &none);
	vmx_set_segment(VMCS_TR, &task);
}

static void write_guest(struct vcpu *vcpu, const struct launch_state *launch)
{
	load_segment(VMCS_ES, launch->es, &launch->gdt);
	load_segment(VMCS_CS, launch->cs, &launch->gdt);
	load_segment(VMCS_SS, launch->ss, &launch->gdt);
	load_segment(VMCS_DS, launch->ds, &launch->gdt);
	load_system_segments(&launch->gdt);
	vmwrite(VMCS_GUEST_GDTR_BASE, launch->gdt.base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, launch->gdt.limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, launch->idt.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, launch->idt.limit);
	vmx_set_cr0(vcpu, launch->cr0);
	vmx_set_cr4(launch->cr4);
	vmwrite(VMCS_GUEST_CR3, launch->cr3);
	vmwrite(VMCS_GUEST_EFER, launch->efer);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	vmwrite(VMCS_GUEST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	vmwrite(VMCS_GUEST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	vmwrite(VMCS_LINK, UINT64_MAX);
	vcpu->rip = launch->rip;
	vcpu->rflags = launch->rflags;
	vcpu->gpr[4] = launch->rsp;
}

/* As it is: the host's tables are loaded. */
static void write_host(void)
{
	static const uint8_t task[104]; /* nobody looks: there are no other stacks */
	struct descriptor_table gdt, idt;
	uint16_t es, cs, ss, ds;

	read_descriptor_tables(&gdt, &idt);
	read_selectors(&es, &cs, &ss, &ds);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_ES_SELECTOR, es);
	vmwrite(VMCS_HOST_CS_SELECTOR, cs);
	vmwrite(VMCS_HOST_SS_SELECTOR, ss);
	vmwrite(VMCS_HOST_DS_SELECTOR, ds);
	vmwrite(VMCS_HOST_TR_SELECTOR, HOST_TR);
	vmwrite(VMCS_HOST_TR_BASE, (uint64_t)task);
	vmwrite(VMCS_HOST_GDTR_BASE, gdt.base);
	vmwrite(VMCS_HOST_IDTR_BASE, idt.base);
	vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit);
}

static void write_entry_and_exit(const struct vmx_capability *c, const struct launch_state *launch)
{
	uint32_t exit = VMX_EXIT_NEEDED | EXIT_CONTROL_SAVE_PAT | EXIT_CONTROL_LOAD_PAT;
	uint32_t entry = VMX_ENTRY_NEEDED | ENTRY_CONTROL_LOAD_PAT;

	if (launch->efer & EFER_LMA)
		entry |= ENTRY_CONTROL_GUEST_64;
	exit = vmx_control(c->exit, exit);
	entry = vmx_control(c->entry, entry);
	vmwrite(VMCS_EXIT, exit);
	vmwrite(VMCS_ENTRY, entry);
	if (exit & EXIT_CONTROL_LOAD_PAT)
		vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	if (entry & ENTRY_CONTROL_LOAD_PAT)
		vmwrite(VMCS_GUEST_PAT, rdmsr(MSR_PAT));
}

static void write_controls(struct vcpu *vcpu, const struct vmx_capability *c)
{
	struct vmx_state *vmx = vmx_of(vcpu);
	uint32_t secondary = vmx_control(c->secondary, VMX_SECONDARY_NEEDED | SECONDARY_VPID | SECONDARY_RDTSCP |
							       SECONDARY_INVPCID | SECONDARY_XSAVES | SECONDARY_USER_WAIT);

	vmx->pin = vmx_control(c->pin, VMX_PIN_NEEDED);
	vmx->primary = vmx_control(c->primary, VMX_PRIMARY_NEEDED) & ~(PRIMARY_INTERRUPT_WINDOW | PRIMARY_NMI_WINDOW);
	vmwrite(VMCS_SECONDARY, secondary);
	vmwrite(VMCS_EXCEPTIONS, EVENT_ENDLESS);
	vmwrite(VMCS_IO_BITMAP_A, (uint64_t)vmx_io_bitmaps);
	vmwrite(VMCS_IO_BITMAP_B, (uint64_t)vmx_io_bitmaps + 4096);
	vmwrite(VMCS_MSR_BITMAP, (uint64_t)vmx_msr_bitmap);
	vmwrite(VMCS_EPT_POINTER, vmx->ept_pointer);
	if (secondary & SECONDARY_VPID)
		vmwrite(VMCS_VPID, vcpu->index + 1);
	if (secondary & SECONDARY_XSAVES)
		vmwrite(VMCS_XSS_BITMAP, 0);
}

/* The guest's counters stand still in the host, whatever their records would be. */
static void write_counters(struct vmx_state *vmx)
{
	bool there = cpuid(0, 0).eax >= 10 && (cpuid(10, 0).eax & 0xff) >= 2;

	vmx->guest_counters.index = vmx->host_counters.index = MSR_PERF_GLOBAL_CTRL;
	vmx->guest_counters.value = there ? rdmsr(MSR_PERF_GLOBAL_CTRL) : 0;
	vmwrite(VMCS_EXIT_STORES, there);
	vmwrite(VMCS_EXIT_LOADS, there);
	vmwrite(VMCS_ENTRY_LOADS, there);
	vmwrite(VMCS_EXIT_STORE_AREA, (uint64_t)&vmx->guest_counters);
	vmwrite(VMCS_EXIT_LOAD_AREA, (uint64_t)&vmx->host_counters);
	vmwrite(VMCS_ENTRY_LOAD_AREA, (uint64_t)&vmx->guest_counters);
}

/* What is in a new structure is not defined. */
static void write_zeroes(void)
{
	static const uint16_t fields[] = {
		VMCS_FAULT_MASK, VMCS_FAULT_MATCH, VMCS_CR3_TARGETS, VMCS_ENTRY_EVENT, VMCS_INTERRUPTIBILITY, VMCS_ACTIVITY, VMCS_PENDING_DEBUG,
		VMCS_GUEST_DEBUGCTL, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE,
		VMCS_HOST_SYSENTER_CS, VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP,
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		vmwrite(fields[i], 0);
}

/* The firmware may have left the lock open: then it is ours to turn. */
static void turn_on(struct vmx_state *vmx, const struct vmx_capability *c)
{
	uint64_t feature = rdmsr(MSR_FEATURE_CONTROL);
	uint32_t revision = (uint32_t)c->basic & BASIC_REVISION;

	if (!(feature & FEATURE_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_LOCKED | FEATURE_VMX);
	attempt_wrmsr(MSR_RTIT_CTL, 0); /* a trace of the firmware's would be one of ours */
	write_cr0(read_cr0() | c->cr0_must);
	write_cr4(read_cr4() | c->cr4_must | (cpuid(1, 0).ecx & CPUID_XSAVE ? CR4_OSXSAVE : 0));
	memcpy(vmx->vmxon, &revision, sizeof(revision));
	memcpy(vmx->vmcs, &revision, sizeof(revision));
	if (!vmxon((uint64_t)vmx->vmxon) || !vmclear((uint64_t)vmx->vmcs) || !vmptrld((uint64_t)vmx->vmcs))
		panic(PANIC_BACKEND, "VMX cannot be turned on");
}

void vmx_start(struct vcpu *vcpu, const struct launch_state *launch)
{
	struct vmx_state *vmx = vmx_of(vcpu);
	struct vmx_capability c;

	vmx_capability_read(&c);
	turn_on(vmx, &c);
	vmx->pending = -1;
	vmx->flush = true;
	vmx->cr0_must = c.cr0_must & ~(CR0_PE | CR0_PG);
	vmx->physical_bits = (uint8_t)cpuid(0x80000008, 0).eax;
	vmx->ept_pointer = (uint64_t)vcpu->npt.root | EPT_POINTER_WRITE_BACK | EPT_POINTER_LEVELS_4 |
			   (c.ept_vpid & EPT_CAP_ACCESSED ? EPT_POINTER_ACCESSED : 0);
	if (c.ept_vpid & EPT_CAP_INVVPID && c.ept_vpid & EPT_CAP_INVVPID_ALL)
		invvpid(INVVPID_ALL, 0);
	write_zeroes();
	write_controls(vcpu, &c);
	write_counters(vmx);
	write_entry_and_exit(&c, launch);
	write_host();
	write_guest(vcpu, launch);
}
