/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a processor whose VT-x lacks something, from its capability registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/vmx/capability.h"
#include "hv/x86/registers.h"

#define BASIC_TRUE (1ull << 55)

/* A processor that has all, and whose TRUE registers let everything be off. */
static struct {
	uint64_t feature, basic, pin, primary, secondary, exit, entry, ept;
	uint64_t old_primary; /* the register beside its TRUE one */
	uint64_t cr4, misc;
	bool vmx, huge_pages;
} cpu;

static int all(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	cpu.vmx = cpu.huge_pages = true;
	cpu.basic = BASIC_TRUE | 6ull << 50;
	cpu.pin = cpu.primary = cpu.secondary = cpu.exit = cpu.entry = UINT64_MAX << 32;
	cpu.old_primary = UINT64_MAX << 32 | 0x0401e172;
	cpu.ept = UINT64_MAX;
	cpu.misc = 1u << 8;
	return 0;
}

struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	return (struct cpuid_result){0, 0, leaf == 1 && cpu.vmx ? 1u << 5 : 0,
				     leaf == 0x80000001 && cpu.huge_pages ? 1u << 26 : 0};
}

uint64_t read_cr4(void)
{
	return cpu.cr4;
}

/* A register that is not there would fault. */
uint64_t rdmsr(uint32_t index)
{
	bool is_true = cpu.basic & BASIC_TRUE;

	switch (index) {
	case MSR_FEATURE_CONTROL:
		return cpu.feature;
	case MSR_VMX_BASIC:
		return cpu.basic;
	case MSR_VMX_PIN:
	case MSR_VMX_TRUE_PIN:
		assert_int_equal(index == MSR_VMX_TRUE_PIN, is_true);
		return cpu.pin;
	case MSR_VMX_PRIMARY:
		assert_false(is_true);
		return cpu.old_primary;
	case MSR_VMX_TRUE_PIN + 1:
		assert_true(is_true);
		return cpu.primary;
	case MSR_VMX_EXIT:
	case MSR_VMX_TRUE_PIN + 2:
		return cpu.exit;
	case MSR_VMX_ENTRY:
	case MSR_VMX_TRUE_PIN + 3:
		return cpu.entry;
	case MSR_VMX_CR0_FIXED0:
		return 0x80000021;
	case MSR_VMX_CR4_FIXED0:
		return CR4_VMXE;
	case MSR_VMX_MISC:
		return cpu.misc;
	case MSR_VMX_SECONDARY:
		assert_true(cpu.primary >> 32 & PRIMARY_SECONDARY);
		return cpu.secondary;
	case MSR_VMX_EPT_VPID_CAP:
		assert_true(cpu.secondary >> 32 & SECONDARY_EPT);
		return cpu.ept;
	}
	fail_msg("RDMSR of %x", index);
	return 0;
}

static void missing(const char *word)
{
	const char *what = vmx_missing();

	assert_non_null(what);
	if (!strstr(what, word))
		fail_msg("\"%s\" says nothing of \"%s\"", what, word);
	all(NULL);
}

static void test_nothing_is_missing(void **state)
{
	(void)state;
	assert_true(vmx_present());
	assert_null(vmx_missing());
	cpu.feature = FEATURE_LOCKED | FEATURE_VMX;
	assert_null(vmx_missing());
	cpu.feature = FEATURE_VMX; /* not locked yet */
	assert_null(vmx_missing());
	/* Arrandale, Sandy and Ivy Bridge: no accessed bits, no 1 GiB pages. */
	cpu.ept = 0xf0106114141;
	assert_null(vmx_missing());
	cpu.vmx = false;
	assert_false(vmx_present());
}

static void test_refusals(void **state)
{
	static const uint32_t primary[] = {PRIMARY_INTERRUPT_WINDOW, PRIMARY_IO_BITMAPS, PRIMARY_MSR_BITMAPS};
	static const uint64_t ept[] = {EPT_CAP_LEVELS_4, EPT_CAP_WRITE_BACK, EPT_CAP_2M, EPT_CAP_INVEPT, EPT_CAP_INVEPT_ALL};
	static const uint32_t exits[] = {EXIT_CONTROL_SAVE_EFER, EXIT_CONTROL_LOAD_EFER, EXIT_CONTROL_HOST_64};

	(void)state;
	cpu.feature = FEATURE_LOCKED;
	missing("firmware setup");
	cpu.cr4 = CR4_VMXE;
	missing("in use");
	cpu.basic &= ~(0xfull << 50);
	missing("uncached");
	cpu.misc = 0;
	missing("wait for their start");
	cpu.primary &= ~((uint64_t)PRIMARY_SECONDARY << 32);
	missing("EPT");
	cpu.secondary &= ~((uint64_t)SECONDARY_EPT << 32);
	missing("EPT");
	cpu.secondary &= ~((uint64_t)SECONDARY_UNRESTRICTED << 32);
	missing("unrestricted guest");
	cpu.pin &= ~((uint64_t)PIN_VIRTUAL_NMI << 32);
	missing("virtual NMIs");
	cpu.primary &= ~((uint64_t)PRIMARY_NMI_WINDOW << 32);
	missing("virtual NMIs");
	for (unsigned i = 0; i < 3; i++) {
		cpu.primary &= ~((uint64_t)primary[i] << 32);
		missing("bitmaps");
	}
	for (unsigned i = 0; i < 3; i++) {
		cpu.exit &= ~((uint64_t)exits[i] << 32);
		missing("EFER");
	}
	cpu.entry &= ~((uint64_t)ENTRY_CONTROL_LOAD_EFER << 32);
	missing("EFER");
	for (unsigned i = 0; i < 5; i++) {
		cpu.ept &= ~ept[i];
		missing("EPT");
	}
	cpu.cr4 = CR4_LA57;
	missing("five levels");
	cpu.basic &= ~BASIC_TRUE; /* and CR3 exits for good */
	missing("every change");
}

static void test_controls(void **state)
{
	(void)state;
	assert_int_equal(vmx_control(0x0000007f00000016ull, 0x28), 0x3e);
	assert_int_equal(vmx_control(0x0000003f00000016ull, 0x40), 0x16);
}

static void test_huge_pages(void **state)
{
	struct vmx_capability capability;

	(void)state;
	vmx_capability_read(&capability);
	assert_true(vmx_huge_pages(&capability));
	cpu.huge_pages = false;
	assert_false(vmx_huge_pages(&capability));
	cpu.huge_pages = true;
	capability.ept_vpid &= ~EPT_CAP_1G;
	assert_false(vmx_huge_pages(&capability));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_is_missing, all),
		cmocka_unit_test_setup(test_refusals, all),
		cmocka_unit_test_setup(test_controls, all),
		cmocka_unit_test_setup(test_huge_pages, all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
