/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/core/vmx.h"
#include "hv/svm/vmcb.h"
#include "hv/vmx/vmx.h"
#include "tests/core/platform.h"

#define FIELDS    1024u /* by width, kind and number, of which we use 64 each */
#define MSRS_MAX  64u
#define REVISION  0x12u

struct model_vmx model_vmx;

static uint64_t fields[MODEL_CPUS][FIELDS];
static struct {
	uint32_t index;
	uint64_t value;
} msrs[MSRS_MAX];
static unsigned msr_count;

void host_nmi(uint64_t *rip);

/* run.S has them elsewhere. */
const uint8_t vmx_enter_look[8], vmx_enter_noted[1], vmx_exit[1], vmx_halt_look[4];
__asm__(".globl vmx_enter_looked, vmx_halted\n"
	"vmx_enter_looked = vmx_enter_look + 8\n"
	"vmx_halted = vmx_halt_look + 4\n");

void model_msr_set(uint32_t index, uint64_t value)
{
	unsigned i = 0;

	while (i < msr_count && msrs[i].index != index)
		i++;
	if (i == MSRS_MAX)
		platform_violation("too many MSRs in the model");
	msrs[i].index = index;
	msrs[i].value = value;
	if (i == msr_count)
		msr_count++;
}

bool model_msr_read(uint32_t index, uint64_t *value)
{
	for (unsigned i = 0; i < msr_count; i++)
		if (msrs[i].index == index) {
			*value = msrs[i].value;
			return true;
		}
	return false;
}

bool model_msr_write(uint32_t index, uint64_t value)
{
	uint64_t now;

	if (!model_msr_read(index, &now))
		return false;
	if ((index == MSR_FEATURE_CONTROL && now & FEATURE_LOCKED) || index == MSR_PERF_CAPABILITIES ||
	    (index == MSR_XSS && value & ~0x1900ull))
		return false;
	model_msr_set(index, value);
	return true;
}

void model_vmx_reset(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} all[] = {
		{MSR_FEATURE_CONTROL, 0},
		{MSR_VMX_BASIC, 1ull << 55 | 6ull << 50 | 4096ull << 32 | REVISION},
		{MSR_VMX_SECONDARY, 0x00ffffff00000000ull},
		{MSR_VMX_EPT_VPID_CAP, 0xf0106334141ull},
		{MSR_VMX_TRUE_PIN, 0x0000007f00000016ull},
		{MSR_VMX_TRUE_PIN + 1, 0xfff9fffe04006172ull & ~(0x18000ull)},
		{MSR_VMX_TRUE_PIN + 2, 0x007fffff00036dfbull},
		{MSR_VMX_TRUE_PIN + 3, 0x0000ffff000011fbull},
		{MSR_VMX_MISC, 0x1e0},
		{MSR_MTRR_CAP, 0}, {MSR_MTRR_DEFAULT, 1u << 11 | 6},
		{MSR_VMX_CR0_FIXED0, 0x80000021},
		{MSR_VMX_CR4_FIXED0, CR4_VMXE},
		{MSR_MISC_ENABLE, MISC_PEBS_UNAVAILABLE | 1}, {MSR_PERF_CAPABILITIES, 0x32fe5}, {MSR_PERF_GLOBAL_CTRL, 0xf},
		{MSR_XSS, 0}, {MSR_RTIT_CTL, 1},
		{MSR_SYSENTER_CS, 0x11}, {MSR_SYSENTER_ESP, 0x22}, {MSR_SYSENTER_EIP, 0x33},
	};

	memset(&model_vmx, 0, sizeof(model_vmx));
	memset(fields, 0xa5, sizeof(fields));
	msr_count = 0;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		model_msr_set(all[i].index, all[i].value);
}

static bool region(uint64_t address)
{
	return address % 4096 == 0 && *(const uint32_t *)address == REVISION;
}

bool vmxon(uint64_t address)
{
	if (model_vmx.broken || model_vmx.on || !region(address) || !(read_cr4() & CR4_VMXE) || !(read_cr0() & CR0_NE))
		return false;
	model_vmx.on = !cpu_now(); /* of several, each does it once: their own start sees to that */
	return true;
}

bool vmclear(uint64_t address)
{
	return (model_vmx.on || cpu_now()) && region(address);
}

bool vmptrld(uint64_t address)
{
	model_vmx.current = address;
	return (model_vmx.on || cpu_now()) && region(address);
}

static uint64_t *field_of(unsigned cpu, uint32_t field)
{
	uint32_t number = field >> 1 & 0x1ff;

	if (field & ~0x6dfeu || number >= 64)
		platform_violation("a field (%x) that the model does not have", field);
	return &fields[cpu][(field >> 13) << 8 | (field >> 10 & 3) << 6 | number];
}

static uint64_t *field_at(uint32_t field)
{
	if (!model_vmx.current)
		platform_violation("VMREAD or VMWRITE (%x) without a current structure", field);
	return field_of(cpu_now() ? cpu_now()->index : 0, field);
}

uint64_t vmread(uint32_t field)
{
	return *field_at(field);
}

/* Cut to the width that the encoding tells, SDM 25.11.2. */
void vmwrite(uint32_t field, uint64_t value)
{
	static const uint64_t widths[] = {UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX};

	if ((field >> 10 & 3) == 1)
		platform_violation("VMWRITE of a field (%x) that can only be read", field);
	*field_at(field) = value & widths[field >> 13];
}

void model_vmx_exit_field(uint32_t field, uint64_t value)
{
	*field_at(field) = value;
}

void invept(uint64_t kind, uint64_t ept_pointer)
{
	(void)ept_pointer;
	if (kind != INVEPT_ALL)
		platform_violation("INVEPT of kind %lu", kind);
	model_vmx.invalidated++;
}

void invvpid(uint64_t kind, uint64_t vpid)
{
	(void)vpid;
	if (kind != INVVPID_ALL)
		platform_violation("INVVPID of kind %lu", kind);
}

void read_system_selectors(uint16_t *fs, uint16_t *gs, uint16_t *ldtr, uint16_t *tr)
{
	*fs = *gs = *ldtr = *tr = 0;
}

uint64_t read_dr6(void)
{
	return model_vmx.dr6;
}

void write_dr6(uint64_t value)
{
	model_vmx.dr6 = value;
}

uint64_t model_vmx_field(const struct model_cpu *cpu, uint32_t field)
{
	return *field_of(cpu->index, field);
}

void model_vmx_set_field(const struct model_cpu *cpu, uint32_t field, uint64_t value)
{
	*field_of(cpu->index, field) = value;
}

bool model_vmx_waits(const struct model_cpu *cpu)
{
	return cpu->state == CPU_IN_GUEST && *field_of(cpu->index, VMCS_ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI;
}

/* Of a CPU that a driver's guest runs on. An NMI that has come meanwhile meets the host right before the entry. */
static int enter_model(struct model_cpu *cpu, struct vcpu *vcpu)
{
	uint64_t event = *field_of(cpu->index, VMCS_ENTRY_EVENT), rip = (uint64_t)vmx_enter_look;

	if (cpu->vcpu != vcpu)
		platform_violation("an entry of another CPU's guest");
	if (__atomic_exchange_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST))
		host_nmi(&rip);
	if (((struct vmx_state *)vcpu->backend)->nmi_noted)
		return VMX_NMI_NOTED;
	if (event & EVENT_HAS_ERROR)
		event |= EVENT_ERROR(*field_of(cpu->index, VMCS_ENTRY_ERROR));
	cpu->event = event & EVENT_VALID ? event : 0;
	if (cpu->event && (event & EVENT_TYPE) == EVENT_NMI)
		*field_of(cpu->index, VMCS_INTERRUPTIBILITY) |= BLOCKED_BY_NMI;
	*field_of(cpu->index, VMCS_VECTORING) = 0;
	cpu_leave(CPU_IN_GUEST);
	return VMX_EXITED;
}

/* To its reason and qualification, of those exits that guest.c and cpu.c make; other codes are reasons. */
void model_vmx_exit(struct model_cpu *cpu, uint64_t code, uint64_t info1, uint64_t info2)
{
	static const struct {
		uint16_t code, reason;
	} reasons[] = {
		{VMEXIT_NMI, VMX_EXIT_EXCEPTION}, {VMEXIT_DEBUG, VMX_EXIT_EXCEPTION}, {VMEXIT_ALIGNMENT, VMX_EXIT_EXCEPTION}, {VMEXIT_INTR, VMX_EXIT_INTERRUPT}, {VMEXIT_SHUTDOWN, VMX_EXIT_TRIPLE_FAULT},
		{VMEXIT_INIT, VMX_EXIT_INIT}, {VMEXIT_CPUID, VMX_EXIT_CPUID}, {VMEXIT_INVD, VMX_EXIT_INVD}, {VMEXIT_VMMCALL, VMX_EXIT_VMCALL},
		{VMEXIT_IRET, VMX_EXIT_NMI_WINDOW}, /* or an interrupt's */
		{VMEXIT_IOIO, VMX_EXIT_IO}, {VMEXIT_MSR, VMX_EXIT_RDMSR}, {VMEXIT_NPF, VMX_EXIT_EPT_VIOLATION},
	};
	uint64_t reason = code == UINT64_MAX ? VMX_EXIT_ENTRY_FAILED : code, qualification = info1;

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			reason = reasons[i].reason;
	if (code == VMEXIT_MSR && info1)
		reason = VMX_EXIT_WRMSR;
	else if (code == VMEXIT_IOIO)
		qualification = (info1 & 0xffff0000) | ((info1 >> 4 & 7) - 1) | (info1 & 1) << 3 | (info1 & 0xc) << 2;
	else if (code == VMEXIT_NPF)
		qualification = (info1 & 2 ? 2 : info1 & 16 ? 4 : 1) | 0x180;
	else if (code == VMEXIT_NMI)
		__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
	*field_of(cpu->index, VMCS_INTERRUPTION) =
		EVENT_VALID | (code == VMEXIT_DEBUG       ? EVENT_EXCEPTION | EXCEPTION_DB
			       : code == VMEXIT_ALIGNMENT ? EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_AC
							  : EVENT_NMI | EXCEPTION_NMI);
	*field_of(cpu->index, VMCS_EXIT_REASON) = reason;
	*field_of(cpu->index, VMCS_QUALIFICATION) = qualification;
	*field_of(cpu->index, VMCS_GUEST_PHYSICAL) = info2;
	*field_of(cpu->index, VMCS_INSTRUCTION_BYTES) = info2 - cpu->vcpu->rip;
	*field_of(cpu->index, VMCS_GUEST_RIP) = cpu->vcpu->rip;
	*field_of(cpu->index, VMCS_GUEST_RSP) = cpu->vcpu->gpr[4];
	*field_of(cpu->index, VMCS_GUEST_RFLAGS) = cpu->vcpu->rflags;
}

/* SDM volume 3, 27.4 and 28.4 to 28.6. */
static void load_msrs(uint32_t count, uint32_t area)
{
	const struct vmcs_msr *msr = (const struct vmcs_msr *)vmread(area);

	for (uint64_t i = 0; i < vmread(count); i++)
		wrmsr(msr[i].index, msr[i].value);
}

static void store_msrs(void)
{
	struct vmcs_msr *msr = (struct vmcs_msr *)vmread(VMCS_EXIT_STORE_AREA);

	for (uint64_t i = 0; i < vmread(VMCS_EXIT_STORES); i++)
		msr[i].value = rdmsr(msr[i].index);
}

static int enter_and_exit(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted)
{
	if (cpu_now())
		return enter_model(cpu_now(), vcpu);
	if (!model_vmx.enter)
		platform_violation("an entry that no test expects");
	return model_vmx.enter(vcpu, launched, nmi_noted);
}

int vmx_enter(struct vcpu *vcpu, bool launched, const uint32_t *nmi_noted)
{
	const char *why = model_vmx_refusal();
	int how;

	if (why)
		platform_violation("an entry that a processor refuses: %s (event %lx)", why, vmread(VMCS_ENTRY_EVENT));
	load_msrs(VMCS_ENTRY_LOADS, VMCS_ENTRY_LOAD_AREA);
	how = enter_and_exit(vcpu, launched, nmi_noted);
	if (how == VMX_EXITED)
		store_msrs();
	load_msrs(VMCS_EXIT_LOADS, VMCS_EXIT_LOAD_AREA);
	return how;
}

void vmx_halt(const uint32_t *nmi_noted)
{
	struct model_cpu *cpu = cpu_now();
	uint64_t rip = (uint64_t)vmx_halt_look;

	if (!cpu && !*nmi_noted)
		platform_violation("a halt that nobody ends");
	while (cpu && !*nmi_noted && !__atomic_load_n(&cpu->nmi_pending, __ATOMIC_SEQ_CST))
		cpu_leave(CPU_WAITING);
	if (cpu && __atomic_exchange_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST))
		host_nmi(&rip);
}

void vmx_unblock_nmis(void)
{
	model_vmx.unblocked++;
}
