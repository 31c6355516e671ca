/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any exits of any guest: the whole core on the machine of tests/core/, which ends the
 * program when the hypervisor would fault, spin for good, send INIT, or touch its own
 * memory for the guest. Nothing of that memory comes to the guest's registers or RAM.
 * Input: a byte that chooses the machine, then exits.
 */
#include "hv/svm/svm.h"
#include "hv/vmx/vmx.h"
#include "tests/core/machine.h"
#include "tests/core/vmx.h"
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define CPUS	   2u
#define KINDS	   8u
#define EXITS_MAX  64u
#define CODE(cpu)  (LOW_RAM + 0x1000 + 0x1000ull * (cpu))
#define MARK_BYTES 0x40000ull

extern uint8_t core_state[], core_state_end[];

static uint64_t mark; /* what the hypervisor's free memory is full of: another in each run, that no input has */

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* ---- putting everything back --------------------------------------------------------------------------- */

static const struct region {
	uint64_t base, bytes;
} ram[] = {{LOW_RAM, LOW_RAM_BYTES}, {RAM, RAM_BYTES}, {OWN_MEMORY, OWN_BYTES}};
static int kept[KINDS + 1]; /* files: before any start, and after each kind of it */

/* By system calls: no sanitizer looks at the gaps between variables, which are copied too. */
static void copy(int file, uint64_t at, uint64_t count, off_t offset, bool save)
{
	long done = save ? syscall(SYS_pwrite64, file, at, count, offset) : syscall(SYS_pread64, file, at, count, offset);

	check(done == (long)count);
}

static void copy_all(int file, bool save)
{
	uint64_t state_bytes = (uint64_t)(core_state_end - core_state);
	off_t offset = (off_t)state_bytes;

	copy(file, (uint64_t)core_state, state_bytes, 0, save);
	for (unsigned i = 0; i < 3; i++) {
		copy(file, ram[i].base, ram[i].bytes, offset, save);
		offset += (off_t)ram[i].bytes;
	}
	/* The stacks of the model's CPUs are there, as they were left at the time. */
	__asan_unpoison_memory_region((void *)OWN_MEMORY, OWN_BYTES);
}

static void set_up(void)
{
	platform_reset();
	check(syscall(SYS_getrandom, &mark, sizeof(mark), 0) == sizeof(mark));
	for (unsigned i = 0; i <= KINDS; i++)
		check((kept[i] = memfd_create("core", 0)) >= 0);
	copy_all(kept[KINDS], true);
	for (unsigned i = 0; i < KINDS; i++) {
		const struct machine machine = {.cpus = CPUS, .x2apic = i & 1, .fast_icr = i & 2, .without_ecam = i & 1,
			.vmx = i & 4};

		copy_all(kept[KINDS], false);
		check(machine_start(&machine) == 0);
		for (uint64_t at = OWN_MEMORY + OWN_BYTES - MARK_BYTES; at < OWN_MEMORY + OWN_BYTES; at += 8)
			*(uint64_t *)at = mark;
		copy_all(kept[i], true);
	}
}

/* ---- the input ------------------------------------------------------------------------------------------ */

static struct input {
	const uint8_t *data;
	size_t bytes;
} in;

static uint64_t take(unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count && in.bytes; i++, in.data++, in.bytes--)
		value |= (uint64_t)*in.data << 8 * i;
	return value;
}

static uint64_t take_address(void)
{
	static const uint64_t places[] = {RAM, RAM + RAM_BYTES - 16, LOW_RAM, OWN_MEMORY, OWN_MEMORY + OWN_BYTES - 8,
		OWN_MEMORY - 8, LAPIC_REGISTERS, LAPIC_REGISTERS + 0x300, ECAM + (FUNCTION_DEVICE << 15) + (FUNCTION_NUMBER << 12),
		ECAM, DEVICE_PAGE, 0xfc000000, 512ull << 30, (512ull << 30) - 4, RAM + 0x20ff8, LAPIC_REGISTERS + 0x1000};
	uint8_t which = (uint8_t)take(1);

	if (which >= 0xf0)
		return take(8);
	return places[which & 15] + (which & 0x10 ? take(2) : take(1) & 0xff);
}

static uint64_t take_value(void)
{
	uint8_t how = (uint8_t)take(1);

	return how < 0x80 ? how : how < 0xc0 ? take_address() : take(8);
}

static uint32_t take_msr(void)
{
	static const uint32_t known[] = {MSR_EFER, MSR_APIC_BASE, MSR_X2APIC_ICR, MSR_VM_CR, MSR_VM_HSAVE, MSR_SVM_KEY, MSR_IGNNE,
		MSR_SMM_CTL, MSR_FEATURE_CONTROL, MSR_VMX_BASIC, MSR_MISC_ENABLE, MSR_XSS, MSR_PERF_CAPABILITIES, MSR_DS_AREA};
	uint8_t which = (uint8_t)take(1);

	return which < 0xc0 ? known[which % (sizeof(known) / sizeof(known[0]))] : (uint32_t)take(4);
}

static uint16_t take_port(void)
{
	static const uint16_t known[] = {0xcf8, 0xcfc, 0xcfa, 0xcfe, 0xcf9, 0x64, 0x92, PM1_CONTROL, PM1_CONTROL + 1, NAMED_RESET, 0x60,
		0xcff};
	uint8_t which = (uint8_t)take(1);

	return which < 0xf0 ? known[which % (sizeof(known) / sizeof(known[0]))] : (uint16_t)take(2);
}

/* ---- the guest ------------------------------------------------------------------------------------------- */

static void set_field(unsigned cpu, uint32_t field, uint64_t value)
{
	model_vmx_set_field(&cpus[cpu], field, value);
}

/* The same by the Intel extension's fields. */
static void change_vmx_mode(unsigned cpu, uint8_t how)
{
	uint64_t entry = model_vmx_field(&cpus[cpu], VMCS_ENTRY) & ~(uint64_t)ENTRY_CONTROL_GUEST_64;

	set_field(cpu, VMCS_GUEST_RIGHTS + 2 * VMCS_SS, 0xc093 | (how & 3) << 5);
	set_field(cpu, VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE | (how & 4 ? 0 : CR0_PG) | (how & 8 ? CR0_WP : 0));
	set_field(cpu, VMCS_GUEST_EFER, (how & 4 ? 0 : EFER_LME | EFER_LMA) | (how & 16 ? EFER_NXE : 0));
	set_field(cpu, VMCS_ENTRY, entry | (how & 4 ? 0 : ENTRY_CONTROL_GUEST_64));
	set_field(cpu, VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE | (how & 32 ? CR4_SMAP | CR4_SMEP : 0));
	set_field(cpu, VMCS_GUEST_RIGHTS + 2 * VMCS_CS, how & 64 ? 0xc09b : how & 4 ? 0x9b : 0x209b);
	set_field(cpu, VMCS_GUEST_LIMIT + 2 * VMCS_CS, how & 64 ? UINT32_MAX : 0xffff);
	set_field(cpu, VMCS_GUEST_RIGHTS + 2 * VMCS_TR, 0x8b); /* whatever task was last */
	set_field(cpu, VMCS_GUEST_LIMIT + 2 * VMCS_TR, 0x67);
	if (how & 128)
		set_field(cpu, VMCS_GUEST_CR3, take_address() & ~0xfffull);
}

/* What a processor may report: NMIs have their vector, and some exceptions an error code. */
static void cut_short(unsigned cpu)
{
	uint64_t info = take(1) | (take(1) & 0xf) << 8 | 1ull << 31, vector = info & EVENT_VECTOR;
	bool coded = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;

	if (!cpus_have_vmx) {
		cpus[cpu].vmcb->exit_int_info = info;
		return;
	}
	if ((info & EVENT_TYPE) == EVENT_NMI)
		info = EVENT_VALID | EVENT_NMI | EXCEPTION_NMI;
	else if ((info & EVENT_TYPE) == EVENT_EXCEPTION)
		info = (info & ~EVENT_HAS_ERROR) | (coded ? EVENT_HAS_ERROR : 0);
	set_field(cpu, VMCS_VECTORING, info);
	set_field(cpu, VMCS_VECTORING_ERROR, take(1));
}

/* Mostly 64-bit kernel code as it was; else another mode, other tables, another level. */
static void change_mode(unsigned cpu, struct vcpu *vcpu)
{
	struct vmcb *vmcb = cpus[cpu].vmcb;
	uint8_t how = (uint8_t)take(1);

	if (cpus_have_vmx) {
		change_vmx_mode(cpu, how);
		vcpu->rflags = RFLAGS_FIXED | (take(2) & 0xcd5);
		return;
	}
	vmcb->cpl = how & 3;
	vmcb->cr0 = CR0_PE | CR0_ET | (how & 4 ? 0 : CR0_PG) | (how & 8 ? CR0_WP : 0);
	vmcb->efer = EFER_SVME | (how & 4 ? 0 : EFER_LME | EFER_LMA) | (how & 16 ? EFER_NXE : 0);
	vmcb->cr4 = CR4_PAE | (how & 32 ? CR4_SMAP | CR4_SMEP : 0);
	vmcb->cs.attributes = how & 64 ? 0xc9b : how & 4 ? 0x9b : 0x29b;
	if (how & 128)
		vmcb->cr3 = take_address() & ~0xfffull;
	vcpu->rflags = RFLAGS_FIXED | (take(2) & 0xcd5);
}

static void change_registers(struct vcpu *vcpu)
{
	uint16_t which = (uint16_t)take(2);

	for (unsigned i = 0; i < 16; i++)
		if (which >> i & 1)
			vcpu->gpr[i] = take_value();
}

static void change_code(unsigned cpu, struct vcpu *vcpu)
{
	uint8_t how = (uint8_t)take(1), count = how & 15;
	uint64_t at = CODE(cpu) + (how & 16 ? 0x1000 - 1 - take(1) % 16 : 0);

	vcpu->rip = how >= 0xe0 ? take_address() : at;
	for (unsigned i = 0; i < count; i++)
		if (platform_is_ram(at + i, 1))
			*(uint8_t *)(at + i) = (uint8_t)take(1);
}

static void port_exit(unsigned cpu)
{
	uint8_t how = (uint8_t)take(1);
	unsigned size = how & 1 ? 1 : how & 2 ? 2 : 4;

	cpu_exit(&cpus[cpu], VMEXIT_IOIO,
		(uint64_t)take_port() << 16 | size << 4 | (how >> 2 & 1) | (how & 8 ? 4 : 0) | (how & 16 ? 8 : 0),
		cpus[cpu].vcpu->rip + 1 + (how >> 5 & 3));
}

/* As the processor would: what faults is not mapped so. */
static void fault_exit(unsigned cpu)
{
	uint8_t how = (uint8_t)take(1);
	uint64_t gpa = take_address() & 0xffffffffffull;

	cpu_exit(&cpus[cpu], VMEXIT_NPF, 4 | (how & 2) | (how & 4 ? 16 : 0), gpa);
}

#define GDT (RAM + 0x8000)
#define TSS (RAM + 0x9000)

/* Between two task states of a 32-bit guest, or what the input has made of them. */
static void task_switch(unsigned cpu)
{
	static const uint64_t gdt[] = {0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull, (TSS << 16) | 0x8b0000000067ull,
				       (TSS + 0x100) << 16 | 0x890000000067ull, (TSS + 0x200) << 16 | 0x81000000002bull};
	uint8_t by = (uint8_t)take(1), changes = (uint8_t)take(1) & 15;

	if (model_vmx_field(&cpus[cpu], VMCS_ENTRY) & ENTRY_CONTROL_GUEST_64)
		return;
	memcpy((void *)GDT, gdt, sizeof(gdt));
	for (unsigned at = 0x48; at <= 0x5c; at += 4)
		*(uint32_t *)(TSS + 0x100 + at) = at == 0x4c ? 8 : 0x10;
	for (unsigned i = 0; i < changes; i++) {
		uint64_t at = take(1) & 1 ? GDT + take(1) % sizeof(gdt) : TSS + take(2) % 0x280;

		*(uint8_t *)at = (uint8_t)take(1);
	}
	set_field(cpu, VMCS_GUEST_GDTR_BASE, GDT);
	set_field(cpu, VMCS_GUEST_GDTR_LIMIT, sizeof(gdt) - 1);
	set_field(cpu, VMCS_GUEST_SELECTOR + 2 * VMCS_TR, 0x18);
	set_field(cpu, VMCS_GUEST_BASE + 2 * VMCS_TR, by & 4 ? take_address() & UINT32_MAX : TSS);
	cpu_exit(&cpus[cpu], VMX_EXIT_TASK_SWITCH, (uint64_t)(by & 3) << 30 | (by & 8 ? take(2) : by & 16 ? 0x28 : 0x20),
		 cpus[cpu].vcpu->rip + 2);
}

/* Those that only Intel's extension has. MOV to CR0 or CR4 from any register. */
static void vmx_exit_of(unsigned cpu, unsigned which)
{
	switch (which & 3) {
	case 0:
		task_switch(cpu);
		break;
	case 1:
		cpu_exit(&cpus[cpu], VMX_EXIT_CR_ACCESS, take(1) << 8 & 0xf04, 0);
		break;
	case 2:
		cpu_exit(&cpus[cpu], VMX_EXIT_XSETBV, 0, 0);
		break;
	case 3:
		if (model_vmx_field(&cpus[cpu], VMCS_PIN) & PIN_INTERRUPT)
			cpu_exit(&cpus[cpu], VMEXIT_INTR, 0, 0);
	}
}

static void one_exit(unsigned cpu)
{
	static const uint16_t codes[] = {VMEXIT_NMI, VMEXIT_SMI, VMEXIT_CPUID, VMEXIT_IRET, VMEXIT_INVD, VMEXIT_INVLPGA, VMEXIT_VMRUN,
		VMEXIT_VMMCALL, VMEXIT_SKINIT, VMEXIT_INIT, 0x10, 0x78, VMEXIT_SHUTDOWN};
	struct vcpu *vcpu = cpus[cpu].vcpu;
	uint8_t what = (uint8_t)take(1);

	switch (what & 7) {
	case 0:
	case 1:
		port_exit(cpu);
		break;
	case 2:
	case 3:
		fault_exit(cpu);
		break;
	case 4:
		vcpu->gpr[1] = take_msr();
		cpu_exit(&cpus[cpu], VMEXIT_MSR, what >> 3 & 1, 0);
		break;
	case 5:
		if (what & 8)
			vcpu->gpr[0] = 0x554e4453;
		cpu_exit(&cpus[cpu], VMEXIT_VMMCALL, 0, 0);
		break;
	case 6:
		if (cpus_have_vmx && what & 8) {
			vmx_exit_of(cpu, what >> 4);
			break;
		}
		/* fall through */
	default:
		what >>= 3;
		cpu_exit(&cpus[cpu], what < sizeof(codes) / 2 ? codes[what] : what == 31 ? UINT64_MAX : 0x11u * what, 0, 0);
	}
}

/* Not watched by the fuzzer, which would learn the mark from a comparison and put it into its inputs. */
#define UNSEEN __attribute__((no_sanitize("address", "undefined", "coverage")))

UNSEEN static unsigned marks_in(const volatile uint64_t *words, uint64_t bytes)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < bytes / 8; i++)
		count += words[i] == mark;
	return count;
}

static void check_ram(void)
{
	for (unsigned i = 0; i < 2; i++)
		check(!marks_in((const uint64_t *)ram[i].base, ram[i].bytes));
	check(marks_in((const uint64_t *)(OWN_MEMORY + OWN_BYTES - MARK_BYTES), MARK_BYTES) == MARK_BYTES / 8);
}

static void do_one(unsigned cpu)
{
	uint8_t changes = (uint8_t)take(1);
	struct vcpu *vcpu = cpus[cpu].vcpu;

	if (cpus_have_vmx && model_vmx_waits(&cpus[cpu])) {
		cpu_exit(&cpus[cpu], VMX_EXIT_SIPI, take(1), 0);
		return;
	}
	if (changes & 1)
		change_registers(vcpu);
	if (!(changes & 6))
		change_mode(cpu, vcpu);
	if (changes & 8)
		change_code(cpu, vcpu);
	if (!(changes & 0x70))
		cut_short(cpu);
	one_exit(cpu);
	check(!marks_in(vcpu->gpr, sizeof(vcpu->gpr)));
	if (changes & 0x80)
		cpus_take_nmis();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static bool ready;

	in = (struct input){data, bytes};
	if (!ready)
		set_up();
	ready = true;
	copy_all(kept[take(1) % KINDS], false);
	for (unsigned i = 0; i < EXITS_MAX && in.bytes; i++) {
		unsigned cpu = (unsigned)take(1) % CPUS;

		if (cpus[cpu].state == CPU_IN_GUEST)
			do_one(cpu);
		else if (!cpus_take_nmis() && cpus[0].state != CPU_IN_GUEST && cpus[1].state != CPU_IN_GUEST)
			break;
	}
	check_ram();
	return 0;
}
