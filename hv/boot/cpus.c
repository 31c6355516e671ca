/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/cpus.h"
#include "hv/svm/missing.h"
#include "hv/vmx/capability.h"
#include "hv/core/limits.h"
#include "hv/x86/registers.h"
#include <efilib.h>

#define CPU_ENABLED 2u

struct processor_information {
	UINT64 id; /* APIC ID */
	UINT32 status, package, core, thread;
	UINT32 extended[6];
};

struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *information)(struct mp_services *, UINTN number, struct processor_information *);
	EFI_STATUS(EFIAPI *start_all)(struct mp_services *, VOID(EFIAPI *procedure)(VOID *), BOOLEAN single,
				      EFI_EVENT event, UINTN microseconds, VOID *argument, UINTN **failed);
	VOID *start_one, *switch_bsp, *enable, *who_am_i;
};

static struct mp_services *mp_services(VOID)
{
	EFI_GUID guid = {0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};
	struct mp_services *mp = NULL;

	return EFI_ERROR(BS->LocateProtocol(&guid, NULL, (VOID **)&mp)) ? NULL : mp;
}

static UINT32 this_apic_id(VOID)
{
	if (cpuid(0, 0).eax >= 11 && cpuid(11, 0).ebx)
		return cpuid(11, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

static const char *missing_extension(VOID)
{
	if (svm_present())
		return svm_missing();
	if (vmx_present())
		return vmx_missing();
	return "this processor has no virtualisation: neither AMD-V (SVM) nor VT-x (VMX)";
}

/* What is missing on the calling CPU, or NULL. */
static const char *missing(VOID)
{
	const char *what = missing_extension();

	if (!what && !(cpuid(1, 0).ecx & 1u << 25))
		return "this processor has no AES instructions";
	return what;
}

static const char *volatile missing_elsewhere;

static VOID EFIAPI check(VOID *unused)
{
	const char *what = missing();

	(void)unused;
	if (what)
		missing_elsewhere = what;
}

BOOLEAN cpus_supported(const char **why)
{
	*why = missing();
	if (*why)
		return FALSE;
	missing_elsewhere = NULL;
	if (EFI_ERROR(cpus_run_on_others(check))) {
		*why = "the other processors do not answer";
		return FALSE;
	}
	*why = missing_elsewhere;
	return !*why;
}

BOOLEAN cpus_huge_pages(VOID)
{
	struct vmx_capability capability;

	if (!vmx_present())
		return cpu_has_huge_pages();
	vmx_capability_read(&capability);
	return vmx_huge_pages(&capability);
}

EFI_STATUS cpus_list(struct boot_info *info)
{
	struct mp_services *mp = mp_services();
	UINTN all, enabled;

	info->cpus = 0;
	if (!mp) {
		info->apic_id[info->cpus++] = this_apic_id();
		return EFI_SUCCESS;
	}
	EFI_STATUS status = mp->count(mp, &all, &enabled);

	for (UINTN i = 0; i < all && !EFI_ERROR(status); i++) {
		struct processor_information cpu;

		status = mp->information(mp, i, &cpu);
		if (EFI_ERROR(status) || !(cpu.status & CPU_ENABLED))
			continue;
		if (info->cpus == BOOT_MAX_CPUS)
			return EFI_UNSUPPORTED;
		info->apic_id[info->cpus++] = (UINT32)cpu.id;
	}
	return status;
}

UINT32 cpus_this_index(const struct boot_info *info)
{
	UINT32 id = this_apic_id(), i = 0;

	while (i < info->cpus - 1 && info->apic_id[i] != id)
		i++;
	return i;
}

EFI_STATUS cpus_run_on_others(VOID(EFIAPI *procedure)(VOID *))
{
	struct mp_services *mp = mp_services();
	EFI_STATUS status = mp ? mp->start_all(mp, procedure, FALSE, NULL, 0, NULL, NULL) : EFI_NOT_STARTED;

	/* "No enabled APs": a single CPU, as without the protocol. */
	return status == EFI_NOT_STARTED ? EFI_SUCCESS : status;
}
