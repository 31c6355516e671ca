/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of an entry, SDM volume 3, 27.2 and 27.3, as far as our fields can fail them. */
#include "hv/vmx/vmx.h"
#include "tests/core/vmx.h"

#define CHECK(holds)                                                                                         \
	do {                                                                                                 \
		if (!(holds))                                                                                \
			return #holds;                                                                       \
	} while (0)

#define SEGMENT_TYPE(rights) ((rights) & 0xf)
#define PRESENT_SYSTEM(rights) (((rights) & 0x90) == 0x80)

static bool allowed(uint32_t msr, uint32_t field)
{
	uint64_t capability = 0, value = vmread(field);

	return model_msr_read(msr, &capability) && !(~value & (uint32_t)capability) && !(value & ~(capability >> 32));
}

static bool canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static bool area(uint32_t count, uint32_t field)
{
	const struct vmcs_msr *msr = (const struct vmcs_msr *)vmread(field);

	return vmread(count) == 1 && vmread(field) % 16 == 0 && !msr->reserved;
}

/* 27.2.1.1 to 27.2.1.3 */
static const char *controls(void)
{
	uint64_t ept = vmread(VMCS_EPT_POINTER), secondary = vmread(VMCS_SECONDARY), capability = 0;

	model_msr_read(MSR_VMX_EPT_VPID_CAP, &capability);
	CHECK(allowed(MSR_VMX_TRUE_PIN, VMCS_PIN));
	CHECK(allowed(MSR_VMX_TRUE_PIN + 1, VMCS_PRIMARY));
	CHECK(allowed(MSR_VMX_TRUE_PIN + 2, VMCS_EXIT));
	CHECK(allowed(MSR_VMX_TRUE_PIN + 3, VMCS_ENTRY));
	CHECK(allowed(MSR_VMX_SECONDARY, VMCS_SECONDARY));
	CHECK(vmread(VMCS_PIN) & PIN_NMI || !(vmread(VMCS_PIN) & PIN_VIRTUAL_NMI));
	CHECK(vmread(VMCS_PIN) & PIN_VIRTUAL_NMI || !(vmread(VMCS_PRIMARY) & PRIMARY_NMI_WINDOW));
	CHECK(vmread(VMCS_IO_BITMAP_A) % 4096 == 0 && vmread(VMCS_IO_BITMAP_B) == vmread(VMCS_IO_BITMAP_A) + 4096);
	CHECK(vmread(VMCS_MSR_BITMAP) % 4096 == 0);
	CHECK(!(secondary & SECONDARY_VPID) || vmread(VMCS_VPID));
	CHECK(secondary & SECONDARY_EPT || !(secondary & SECONDARY_UNRESTRICTED));
	CHECK((ept & 7) == 6 && (ept >> 3 & 7) == 3 && !(ept & 0xf80));
	CHECK(!(ept & EPT_POINTER_ACCESSED) || capability & EPT_CAP_ACCESSED);
	CHECK(!vmread(VMCS_CR3_TARGETS));
	CHECK(!vmread(VMCS_EXIT_STORES) || area(VMCS_EXIT_STORES, VMCS_EXIT_STORE_AREA));
	CHECK(!vmread(VMCS_EXIT_LOADS) || area(VMCS_EXIT_LOADS, VMCS_EXIT_LOAD_AREA));
	CHECK(!vmread(VMCS_ENTRY_LOADS) || area(VMCS_ENTRY_LOADS, VMCS_ENTRY_LOAD_AREA));
	return NULL;
}

/* 27.2.1.3 */
static const char *event(void)
{
	static const uint32_t with_error = 1u << 8 | 0x1fu << 10 | 1u << 17 | 1u << 21;
	uint64_t info = vmread(VMCS_ENTRY_EVENT), type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;
	bool error = info & EVENT_HAS_ERROR, has = type == EVENT_EXCEPTION && vector < 32 && with_error >> vector & 1;

	if (!(info & EVENT_VALID))
		return NULL;
	CHECK(!(info & 0x7ffff000));
	CHECK(type != EVENT_NMI || vector == 2);
	CHECK(type != EVENT_EXCEPTION || vector < 32);
	CHECK(error == (has && vmread(VMCS_GUEST_CR0) & CR0_PE));
	CHECK(!error || !(vmread(VMCS_ENTRY_ERROR) >> 16));
	return NULL;
}

/* 27.2.2 to 27.2.4 */
static const char *host(void)
{
	uint64_t efer = vmread(VMCS_HOST_EFER);

	CHECK((vmread(VMCS_HOST_CR0) & 0x80000021) == 0x80000021);
	CHECK(vmread(VMCS_HOST_CR4) & CR4_VMXE && vmread(VMCS_HOST_CR4) & CR4_PAE);
	CHECK((efer & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME));
	CHECK(vmread(VMCS_HOST_CS_SELECTOR) && vmread(VMCS_HOST_TR_SELECTOR));
	for (uint32_t field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_TR_SELECTOR; field += 2)
		CHECK(!(vmread(field) & 7));
	for (uint32_t field = VMCS_HOST_FS_BASE; field <= VMCS_HOST_SYSENTER_EIP; field += 2)
		CHECK(canonical(vmread(field)));
	CHECK(vmread(VMCS_HOST_RIP));
	return NULL;
}

/* 27.3.1.2 */
static const char *segments(void)
{
	bool real = !(vmread(VMCS_GUEST_CR0) & CR0_PE);

	for (enum vmcs_segment i = VMCS_ES; i <= VMCS_TR; i++) {
		uint64_t rights = vmread(VMCS_GUEST_RIGHTS + 2 * i), limit = vmread(VMCS_GUEST_LIMIT + 2 * i);

		CHECK(canonical(vmread(VMCS_GUEST_BASE + 2 * i)));
		CHECK(i == VMCS_FS || i == VMCS_GS || i >= VMCS_LDTR || rights & RIGHTS_UNUSABLE ||
		      !(vmread(VMCS_GUEST_BASE + 2 * i) >> 32));
		if (rights & RIGHTS_UNUSABLE) {
			CHECK(i != VMCS_CS && i != VMCS_TR);
			continue;
		}
		CHECK(!(rights & ~0xf0ffull) && rights & 0x80);
		CHECK((limit & 0xfff) == 0xfff || !(rights & 0x8000));
		CHECK(!(limit >> 20) || rights & 0x8000);
		CHECK(i >= VMCS_LDTR || rights & 1);
	}
	CHECK(PRESENT_SYSTEM(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_TR)));
	CHECK((SEGMENT_TYPE(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_TR)) | (vmread(VMCS_ENTRY) & ENTRY_CONTROL_GUEST_64 ? 0 : 8)) == 11);
	CHECK(SEGMENT_TYPE(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_CS)) >= 9 || real || vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM);
	CHECK(!(vmread(VMCS_GUEST_GDTR_LIMIT) >> 16) && !(vmread(VMCS_GUEST_IDTR_LIMIT) >> 16));
	return NULL;
}

/* 27.3.1.1, 27.3.1.4 */
static const char *registers(void)
{
	uint64_t cr0 = vmread(VMCS_GUEST_CR0), efer = vmread(VMCS_GUEST_EFER), rflags = vmread(VMCS_GUEST_RFLAGS);
	bool long_mode = vmread(VMCS_ENTRY) & ENTRY_CONTROL_GUEST_64;

	CHECK(cr0 & CR0_NE && vmread(VMCS_GUEST_CR4) & CR4_VMXE);
	CHECK(!(cr0 & CR0_PG) || cr0 & CR0_PE);
	CHECK(!long_mode || (cr0 & CR0_PG && vmread(VMCS_GUEST_CR4) & CR4_PAE));
	CHECK(!!(efer & EFER_LMA) == long_mode);
	CHECK(!(cr0 & CR0_PG) || !(efer & EFER_LMA) == !(efer & EFER_LME));
	CHECK(vmread(VMCS_LINK) == UINT64_MAX);
	CHECK(!(vmread(VMCS_GUEST_DEBUGCTL) >> 16) && !(vmread(VMCS_GUEST_DR7) >> 32));
	CHECK(rflags & RFLAGS_FIXED && !(rflags & 0xffffffffffc08028ull));
	CHECK(!(rflags & RFLAGS_VM) || (!long_mode && cr0 & CR0_PE));
	for (uint32_t i = 0; cr0 & CR0_PG && vmread(VMCS_GUEST_CR4) & CR4_PAE && !long_mode && i < 4; i++)
		CHECK(!(vmread(VMCS_GUEST_PDPTE + 2 * i) & 1) || !(vmread(VMCS_GUEST_PDPTE + 2 * i) & ~0x7ffffffe19ull));
	return NULL;
}

/* 27.3.1.4, 27.3.1.5 */
static const char *state(void)
{
	uint64_t blocked = vmread(VMCS_INTERRUPTIBILITY), activity = vmread(VMCS_ACTIVITY), info = vmread(VMCS_ENTRY_EVENT);
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS), by_instruction = blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS);
	bool given = info & EVENT_VALID, step = vmread(VMCS_PENDING_DEBUG) >> 14 & 1;

	CHECK(activity <= ACTIVITY_HALTED || (activity == ACTIVITY_WAIT_FOR_SIPI && !given));
	CHECK((activity == ACTIVITY_ACTIVE || !by_instruction));
	CHECK(!(blocked & ~0xbull) && by_instruction != 3);
	CHECK(!(blocked & BLOCKED_BY_STI) || rflags & RFLAGS_IF);
	if (given && (info & EVENT_TYPE) == EVENT_INTERRUPT)
		CHECK(rflags & RFLAGS_IF && !by_instruction);
	if (given && (info & EVENT_TYPE) == EVENT_NMI)
		CHECK(!(blocked & (BLOCKED_BY_MOV_SS | BLOCKED_BY_STI | BLOCKED_BY_NMI)));
	if (given && (info & EVENT_TYPE) == EVENT_EXCEPTION)
		CHECK(activity == ACTIVITY_ACTIVE);
	CHECK(!(vmread(VMCS_PENDING_DEBUG) & ~0x1500full));
	if (by_instruction || activity == ACTIVITY_HALTED)
		CHECK(step == !!(rflags & RFLAGS_TF) || vmread(VMCS_GUEST_DEBUGCTL) & 2);
	return NULL;
}

const char *model_vmx_refusal(void)
{
	static const char *(*const checks[])(void) = {controls, event, host, segments, registers, state};
	const char *why = NULL;

	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]) && !why; i++)
		why = checks[i]();
	return why;
}
