/* SPDX-License-Identifier: Apache-2.0 */
/* An entry and its exit. SDM volume 3, 25.4 to 25.8, 27.2. */
#include "tests/guest/vmx/vmx.h"
#include "hv/vmx/enter.h"
#include "hv/vmx/instructions.h"

#define CODE_RIGHTS 0xa09bu
#define DATA_RIGHTS 0xc093u
#define TASK_RIGHTS 0x8bu
#define REVISION    0x7fffffffu

/* hv/vmx/run.S, which knows of a vcpu only that its general registers come first. */
struct vcpu {
	uint64_t gpr[16];
};
#define HIDDEN __attribute__((visibility("hidden")))
int vmx_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted) HIDDEN;
extern const uint8_t vmx_exit[] HIDDEN;

static uint8_t *new_region(const struct vmx_capability *c)
{
	uint8_t *region = take_memory(4096, 4096);
	uint32_t revision = (uint32_t)c->basic & REVISION;

	memcpy(region, &revision, sizeof(revision));
	return region;
}

void vmx_on(void)
{
	static uint8_t *regions[MACHINE_MAX_CPUS];
	uint8_t **own = &regions[this_cpu()->index];
	uint64_t feature = rdmsr(MSR_FEATURE_CONTROL);
	struct vmx_capability c;

	vmx_capability_read(&c);
	if (!*own)
		*own = new_region(&c);
	if (!(feature & FEATURE_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_LOCKED | FEATURE_VMX);
	write_cr0(read_cr0() | c.cr0_must);
	write_cr4(read_cr4() | c.cr4_must);
	if (!vmxon((uint64_t)*own))
		guest_fail("cpu %u: VMXON fails", this_cpu()->index);
}

void vmx_off(void)
{
	__asm__ volatile("vmxoff" ::: "cc");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

/* No MSR exits: the bitmap is empty. */
static void write_controls(const struct trial *trial)
{
	static uint8_t *bitmap;
	struct vmx_capability c;

	vmx_capability_read(&c);
	vmwrite(VMCS_PIN, vmx_control(c.pin, trial->pin));
	vmwrite(VMCS_PRIMARY, vmx_control(c.primary, trial->primary | PRIMARY_MSR_BITMAPS));
	if (!bitmap)
		bitmap = take_memory(4096, 4096);
	vmwrite(VMCS_MSR_BITMAP, (uint64_t)bitmap);
	vmwrite(VMCS_EXIT, vmx_control(c.exit, trial->exit | EXIT_CONTROL_HOST_64));
	vmwrite(VMCS_ENTRY, vmx_control(c.entry, ENTRY_CONTROL_GUEST_64));
}

static void write_segment(enum vmcs_segment which, uint16_t selector, uint64_t base, uint32_t limit, uint32_t rights)
{
	vmwrite(VMCS_GUEST_SELECTOR + 2 * which, selector);
	vmwrite(VMCS_GUEST_BASE + 2 * which, base);
	vmwrite(VMCS_GUEST_LIMIT + 2 * which, limit);
	vmwrite(VMCS_GUEST_RIGHTS + 2 * which, rights);
}

static void write_guest(const struct trial *trial, const struct descriptor_table *gdt, const struct descriptor_table *idt)
{
	for (enum vmcs_segment i = VMCS_ES; i <= VMCS_LDTR; i++)
		write_segment(i, 0, 0, 0, RIGHTS_UNUSABLE);
	write_segment(VMCS_CS, SELECTOR_CODE64, 0, UINT32_MAX, CODE_RIGHTS);
	write_segment(VMCS_SS, SELECTOR_DATA, 0, UINT32_MAX, DATA_RIGHTS);
	write_segment(VMCS_TR, SELECTOR_TSS, (uint64_t)&this_cpu()->tss, sizeof(struct tss64) - 1, TASK_RIGHTS);
	vmwrite(VMCS_GUEST_GDTR_BASE, gdt->base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, gdt->limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, idt->base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, idt->limit);
	vmwrite(VMCS_GUEST_CR0, read_cr0());
	vmwrite(VMCS_GUEST_CR3, read_cr3());
	vmwrite(VMCS_GUEST_CR4, read_cr4());
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_LINK, UINT64_MAX);
	vmwrite(VMCS_ACTIVITY, trial->activity);
	vmwrite(VMCS_GUEST_RIP, (uint64_t)trial->code);
	vmwrite(VMCS_GUEST_RSP, (uint64_t)this_cpu() + CPU_CODE_STACK - 8);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (trial->interrupts ? RFLAGS_IF : 0));
}

static void write_host(const struct descriptor_table *gdt, const struct descriptor_table *idt)
{
	static const uint16_t data[] = {VMCS_HOST_ES_SELECTOR, VMCS_HOST_SS_SELECTOR, VMCS_HOST_DS_SELECTOR};

	for (unsigned i = 0; i < 3; i++)
		vmwrite(data[i], SELECTOR_DATA);
	vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE64);
	vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	vmwrite(VMCS_HOST_TR_BASE, (uint64_t)&this_cpu()->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, gdt->base);
	vmwrite(VMCS_HOST_IDTR_BASE, idt->base);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit);
}

/* What is in a new structure is not defined. */
static void write_zeroes(void)
{
	static const uint16_t fields[] = {VMCS_EXCEPTIONS, VMCS_FAULT_MASK, VMCS_FAULT_MATCH, VMCS_CR3_TARGETS, VMCS_EXIT_STORES,
		VMCS_EXIT_LOADS, VMCS_ENTRY_LOADS, VMCS_ENTRY_EVENT, VMCS_CR0_MASK, VMCS_CR4_MASK, VMCS_INTERRUPTIBILITY,
		VMCS_PENDING_DEBUG, VMCS_GUEST_DEBUGCTL, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_FS_BASE,
		VMCS_HOST_GS_BASE};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		vmwrite(fields[i], 0);
}

void vmx_try(struct trial *trial)
{
	static uint8_t *structures[MACHINE_MAX_CPUS];
	static const uint32_t no_nmi;
	uint8_t **own = &structures[this_cpu()->index];
	struct descriptor_table gdt, idt;
	struct vmx_capability c;
	struct vcpu vcpu = {0};

	vmx_capability_read(&c);
	if (!*own)
		*own = new_region(&c);
	if (!vmclear((uint64_t)*own) || !vmptrld((uint64_t)*own))
		guest_fail("cpu %u: no control structure", this_cpu()->index);
	read_descriptor_tables(&gdt, &idt);
	write_zeroes();
	write_controls(trial);
	write_guest(trial, &gdt, &idt);
	write_host(&gdt, &idt);
	trial->reason = TRIAL_REFUSED;
	if (vmx_enter(&vcpu, false, &no_nmi) == VMX_EXITED) {
		trial->reason = (uint32_t)vmread(VMCS_EXIT_REASON);
		trial->qualification = vmread(VMCS_QUALIFICATION);
		trial->information = vmread(VMCS_INTERRUPTION);
	}
	trial->ended = true;
}
