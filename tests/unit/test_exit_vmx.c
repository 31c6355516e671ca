/* SPDX-License-Identifier: Apache-2.0 */
/* The Intel backend over a model of its control structure that refuses what a processor would: its start, exits, registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/core/vmx_alone.h"

static int start(void **state)
{
	(void)state;
	vmx_alone_start();
	return 0;
}

/* The checks of the model's entry are most of this test. */
static void test_start(void **unused)
{
	uint64_t feature;

	(void)unused;
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_CPUID);
	assert_int_equal(vmx_alone.vcpu.rip, VMX_ALONE_RIP);
	assert_int_equal(vmx_alone.vcpu.gpr[4], 0x9000);
	assert_int_equal(vmread(VMCS_GUEST_SYSENTER_EIP), 0x33);
	assert_int_equal(vmread(VMCS_EXCEPTIONS), 1u << EXCEPTION_DB | 1u << EXCEPTION_AC);
	assert_int_equal(vmread(VMCS_GUEST_GDTR_BASE), (uint64_t)vmx_alone_gdt);
	assert_int_equal(vmread(VMCS_GUEST_IDTR_LIMIT), 0xfff);
	assert_int_equal(vmread(VMCS_GUEST_LIMIT + 2 * VMCS_DS), UINT32_MAX);
	assert_int_equal(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_DS), 0xc093);
	assert_int_equal(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_CS), 0x209b);
	assert_true(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_FS) & RIGHTS_UNUSABLE);
	assert_int_equal(vmread(VMCS_EPT_POINTER), (uint64_t)vmx_alone.root | EPT_POINTER_ACCESSED | 0x1e);
	assert_int_equal(model_vmx.invalidated, 1);
	assert_true(model_msr_read(MSR_FEATURE_CONTROL, &feature));
	assert_int_equal(feature, FEATURE_LOCKED | FEATURE_VMX);
}

/* They are the guest's, and stand still in the host. */
static void test_counters(void **unused)
{
	(void)unused;
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.counters, 0xf); /* the firmware's */
	assert_int_equal(rdmsr(MSR_PERF_GLOBAL_CTRL), 0);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.counters, 0x70000000e);
	assert_int_equal(rdmsr(MSR_PERF_GLOBAL_CTRL), 0);
}

/* The model does not let a locked register be written. */
static void test_locked_on(void **unused)
{
	(void)unused;
	model_vmx_reset();
	model_msr_set(MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX);
	model_msr_set(MSR_VMX_EPT_VPID_CAP, 0xf0106114141ull); /* without accessed bits */
	model_msr_set(MSR_VMX_SECONDARY, (uint64_t)VMX_SECONDARY_NEEDED << 32); /* and nothing else */
	model_vmx.enter = vmx_alone_enter;
	vmx_backend.start(&vmx_alone.vcpu, &(struct launch_state){.cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA,
		.rflags = RFLAGS_FIXED, .gdt = {sizeof(vmx_alone_gdt) - 1, (uint64_t)vmx_alone_gdt}, .cs = 8});
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_false(vmread(VMCS_EPT_POINTER) & EPT_POINTER_ACCESSED);
	assert_true(model_vmx.on);
}

static void test_reasons(void **unused)
{
	static const struct {
		uint32_t reason;
		enum exit_reason expected;
	} all[] = {
		{VMX_EXIT_INTERRUPT, EXIT_INTERRUPT},
		{VMX_EXIT_TRIPLE_FAULT, EXIT_SHUTDOWN},
		{VMX_EXIT_INIT, EXIT_INIT},
		{VMX_EXIT_INTERRUPT_WINDOW, EXIT_WINDOW},
		{VMX_EXIT_NMI_WINDOW, EXIT_WINDOW},
		{10, EXIT_CPUID},
		{11, EXIT_UNDEFINED}, /* GETSEC */
		{12, EXIT_OTHER}, /* HLT */
		{13, EXIT_INVALIDATE},
		{18, EXIT_HYPERCALL},
		{19, EXIT_UNDEFINED}, /* VMCLEAR ... */
		{20, EXIT_UNDEFINED},
		{27, EXIT_UNDEFINED}, /* ... VMXON */
		{29, EXIT_OTHER},
		{31, EXIT_MSR_READ},
		{32, EXIT_MSR_WRITE},
		{33 | VMX_EXIT_ENTRY_FAILED, EXIT_INVALID},
		{48, EXIT_NESTED_FAULT},
		{49, EXIT_INVALID},
		{50, EXIT_UNDEFINED},
		{53, EXIT_UNDEFINED},
		{55, EXIT_XSETBV},
		{0x1000, EXIT_OTHER},
	};

	(void)unused;
	vmx_alone.vcpu.rflags |= RFLAGS_IF;
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		vmx_alone_run(all[i].reason);
		assert_int_equal(vmx_alone.vcpu.exit.reason, all[i].expected);
		assert_int_equal(vmx_alone.vcpu.exit.code, all[i].reason);
	}
}

/* As the processor holds them; what is unusable has no rights. */
static void test_segments(void **unused)
{
	struct segment segment;

	(void)unused;
	vmx_backend.segment(&vmx_alone.vcpu, SEG_DS, &segment);
	assert_int_equal(segment.attributes, 0xc093);
	assert_int_equal(segment.limit, UINT32_MAX);
	vmwrite(VMCS_GUEST_BASE + 2 * VMCS_FS, 0x1234);
	vmwrite(VMCS_GUEST_RIGHTS + 2 * VMCS_FS, RIGHTS_UNUSABLE | 0xc093);
	vmx_backend.segment(&vmx_alone.vcpu, SEG_FS, &segment);
	assert_int_equal(segment.attributes, 0);
	assert_int_equal(segment.base, 0x1234);
}

/* An entry that is no exit: the guest ends, and the log has the instruction's error. */
static void test_refused(void **unused)
{
	(void)unused;
	vmx_alone.refused = true;
	model_vmx_exit_field(VMCS_INSTRUCTION_ERROR, 7);
	vmx_alone.vcpu.event = EVENT_VALID | EVENT_EXCEPTION | EXCEPTION_UD;
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_INVALID);
	assert_int_equal(vmx_alone.vcpu.exit.info1, 7);
	assert_int_equal(vmx_alone.vcpu.rip, VMX_ALONE_RIP);
}

static void test_ports(void **unused)
{
	(void)unused;
	vmx_alone.qualification = 0x1f7ull << 16 | 1u << 3; /* IN AL */
	vmx_alone_run(VMX_EXIT_IO);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_IO);
	assert_int_equal(vmx_alone.vcpu.exit.io.port, 0x1f7);
	assert_int_equal(vmx_alone.vcpu.exit.io.size, 1);
	assert_true(vmx_alone.vcpu.exit.io.in);
	assert_false(vmx_alone.vcpu.exit.io.string || vmx_alone.vcpu.exit.io.repeat);
	assert_int_equal(vmx_alone.vcpu.exit.io.next_rip, VMX_ALONE_RIP + 2);
	vmx_alone.qualification = 0xcfcull << 16 | 3 | 1u << 4 | 1u << 5; /* REP OUTSD */
	vmx_alone_run(VMX_EXIT_IO);
	assert_int_equal(vmx_alone.vcpu.exit.io.port, 0xcfc);
	assert_int_equal(vmx_alone.vcpu.exit.io.size, 4);
	assert_false(vmx_alone.vcpu.exit.io.in);
	assert_true(vmx_alone.vcpu.exit.io.string && vmx_alone.vcpu.exit.io.repeat);
}

/* An instruction of a 32-bit guest's that ends at 4 GiB. */
static void test_port_at_4_gib(void **unused)
{
	(void)unused;
	vmwrite(VMCS_GUEST_RIGHTS + 2 * VMCS_CS, 0x409b);
	vmx_alone.vcpu.rip = 0xffffffff;
	vmx_alone_run(VMX_EXIT_IO);
	assert_int_equal(vmx_alone.vcpu.exit.io.next_rip, 1);
	vmwrite(VMCS_GUEST_RIGHTS + 2 * VMCS_CS, 0x209b);
	vmx_alone_run(VMX_EXIT_IO);
	assert_int_equal(vmx_alone.vcpu.exit.io.next_rip, 0x100000001);
}

static void test_nested_faults(void **unused)
{
	(void)unused;
	vmx_alone.physical = 0xfee00300;
	vmx_alone.qualification = 0x182;
	vmx_alone_run(VMX_EXIT_EPT_VIOLATION);
	assert_int_equal(vmx_alone.vcpu.exit.fault.gpa, 0xfee00300);
	assert_true(vmx_alone.vcpu.exit.fault.write);
	assert_false(vmx_alone.vcpu.exit.fault.fetch);
	assert_false(vmread(VMCS_INTERRUPTIBILITY) & BLOCKED_BY_NMI);
	vmx_alone.qualification = 0x4;
	vmx_alone_run(VMX_EXIT_EPT_VIOLATION);
	assert_false(vmx_alone.vcpu.exit.fault.write);
	assert_true(vmx_alone.vcpu.exit.fault.fetch);
	/* An IRET that ended the blocking faulted on its frame. */
	vmx_alone.qualification = 0x181 | QUALIFICATION_NMI_UNBLOCKED;
	vmx_alone_run(VMX_EXIT_EPT_VIOLATION);
	assert_true(vmread(VMCS_INTERRUPTIBILITY) & BLOCKED_BY_NMI);
	assert_false(vmx_backend.takes_nmi(&vmx_alone.vcpu));
}

static void test_reset(void **unused)
{
	struct walk_cpu paging;
	struct insn_cpu cpu;

	(void)unused;
	vmx_backend.pend_interrupt(&vmx_alone.vcpu, 0x66);
	vmwrite(VMCS_INTERRUPTIBILITY, BLOCKED_BY_NMI);
	vmwrite(VMCS_ACTIVITY, ACTIVITY_HALTED);
	vmx_backend.insn_cpu(&vmx_alone.vcpu, &cpu);
	assert_int_equal(cpu.mode, INSN_MODE_64);
	vmx_backend.reset(&vmx_alone.vcpu);
	vmx_alone_run(VMX_EXIT_CPUID);
	assert_int_equal(vmx_alone.event, 0);
	assert_false(vmx_alone.interrupt_window);
	assert_int_equal(vmread(VMCS_GUEST_BASE + 2 * VMCS_CS), 0xffff0000);
	assert_false(vmread(VMCS_ENTRY) & ENTRY_CONTROL_GUEST_64);
	vmx_backend.paging(&vmx_alone.vcpu, &paging);
	assert_int_equal(paging.cr0, CR0_ET);
	assert_int_equal(paging.cr4 | paging.cr3 | paging.efer, 0);
	vmx_backend.insn_cpu(&vmx_alone.vcpu, &cpu);
	assert_int_equal(cpu.mode, INSN_MODE_16);
	assert_int_equal(model_vmx.dr6, 0xffff0ff0);
}

/* The bits that VMX holds are not seen, and not in the way. */
static void test_control_registers(void **unused)
{
	struct walk_cpu paging;

	(void)unused;
	vmx_backend.paging(&vmx_alone.vcpu, &paging);
	assert_int_equal(paging.cr0, CR0_PE | CR0_PG | CR0_ET | CR0_WP);
	assert_int_equal(paging.cr4, CR4_PAE | CR4_DE);
	assert_int_equal(vmx_backend.read_cr4(&vmx_alone.vcpu), CR4_PAE | CR4_DE);
	assert_int_equal(vmread(VMCS_CR0_MASK), CR0_NE);

	vmx_alone.vcpu.gpr[3] = CR0_PE | CR0_NE; /* MOV to CR0, RBX: no paging in it, which the processor sees to */
	vmx_alone.qualification = 3u << 8;
	vmx_alone_run(VMX_EXIT_CR_ACCESS);
	assert_int_equal(vmx_alone.vcpu.exit.reason, EXIT_CONTROL_REGISTER);
	assert_int_equal(vmx_alone.vcpu.rip, VMX_ALONE_RIP);
	assert_int_equal(vmx_alone.vcpu.event, 0);
	vmx_backend.paging(&vmx_alone.vcpu, &paging);
	assert_int_equal(paging.cr0, CR0_PE | CR0_PG | CR0_ET | CR0_WP | CR0_NE);

	vmx_alone.vcpu.gpr[3] = 0;
	vmx_alone_run(VMX_EXIT_CR_ACCESS);
	assert_false(vmx_cr0() & CR0_NE);
	assert_true(vmread(VMCS_GUEST_CR0) & CR0_NE);

	vmx_alone.vcpu.gpr[3] = CR4_PAE | CR4_FRED; /* hidden, and the mask makes it exit */
	assert_true(vmread(VMCS_CR4_MASK) & CR4_FRED);
	vmx_alone.qualification = 3u << 8 | 4;
	vmx_alone_run(VMX_EXIT_CR_ACCESS);
	assert_int_equal(vmx_alone.vcpu.event, EVENT_VALID | EVENT_EXCEPTION | EVENT_HAS_ERROR | EXCEPTION_GP);
	assert_int_equal(vmx_backend.read_cr4(&vmx_alone.vcpu), CR4_PAE | CR4_DE);
}

static void test_permissions(void **unused)
{
	(void)unused;
	vmx_backend.trap_port(0x7fff, 0x8000);
	assert_int_equal(vmx_io_bitmaps[0xfff], 0x80);
	assert_int_equal(vmx_io_bitmaps[0x1000], 1);
	vmx_backend.trap_msr(0x1b, false, true);
	assert_int_equal(vmx_msr_bitmap[0x1b / 8], 0);
	assert_int_equal(vmx_msr_bitmap[0x800 + 0x1b / 8], 1u << 3);
	vmx_backend.trap_msr(0xc0000080, true, false);
	assert_int_equal(vmx_msr_bitmap[0x400 + 0x80 / 8], 1);
	assert_int_equal(vmx_msr_bitmap[0xc00 + 0x80 / 8], 0);
	vmx_backend.trap_msr(0xc0010114, true, true); /* exits as it is */
	vmx_backend.trap_msr(0x2000, true, true);
	for (unsigned i = 0; i < sizeof(vmx_msr_bitmap); i++)
		if (i != 0x800 + 0x1b / 8 && i != 0x400 + 0x80 / 8)
			assert_int_equal(vmx_msr_bitmap[i], 0);
}

static void test_vmx_is_hidden(void **unused)
{
	struct cpuid_result leaf = {0, 0, UINT32_MAX, 0};
	uint64_t value;

	(void)unused;
	vmx_backend.hide_from_cpuid(1, 0, &leaf);
	assert_int_equal(leaf.ecx, UINT32_MAX & ~(3u << 5 | 1u << 2 | 1u << 4));
	assert_int_equal(vmx_msr_rules[0].first, MSR_FEATURE_CONTROL);
	assert_true(vmx_msr_rules[0].read(&vmx_alone.vcpu, &value));
	assert_int_equal(value, FEATURE_LOCKED);
	assert_null(vmx_msr_rules[0].write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, start),
		cmocka_unit_test_setup(test_counters, start),
		cmocka_unit_test_setup(test_locked_on, start),
		cmocka_unit_test_setup(test_reasons, start),
		cmocka_unit_test_setup(test_segments, start),
		cmocka_unit_test_setup(test_refused, start),
		cmocka_unit_test_setup(test_ports, start),
		cmocka_unit_test_setup(test_port_at_4_gib, start),
		cmocka_unit_test_setup(test_nested_faults, start),
		cmocka_unit_test_setup(test_reset, start),
		cmocka_unit_test_setup(test_control_registers, start),
		cmocka_unit_test_setup(test_permissions, start),
		cmocka_unit_test_setup(test_vmx_is_hidden, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
