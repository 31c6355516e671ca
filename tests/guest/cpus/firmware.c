/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's own starts of its CPUs: MP services (PI 1.7, volume 2, 13.4), while boot services are there. */
#include "tests/guest/lib/guest.h"
#include <efi.h>
#include <efilib.h>

#define TURNS 5

struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *, UINTN *all, UINTN *enabled);
	VOID *information;
	EFI_STATUS(EFIAPI *start_all)(struct mp_services *, VOID(EFIAPI *procedure)(VOID *), BOOLEAN single,
				      EFI_EVENT event, UINTN microseconds, VOID *argument, UINTN **failed);
	EFI_STATUS(EFIAPI *start_one)(struct mp_services *, VOID(EFIAPI *procedure)(VOID *), UINTN number,
				      EFI_EVENT event, UINTN microseconds, VOID *argument, BOOLEAN *finished);
	VOID *switch_bsp;
	EFI_STATUS(EFIAPI *enable)(struct mp_services *, UINTN number, BOOLEAN enable, UINT32 *health);
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *, UINTN *number);
};

static struct mp_services *mp;
static uint64_t own, own_bytes;
static volatile uint32_t seen_inside;

static VOID EFIAPI look(VOID *argument)
{
	UINTN number = 0;

	(void)argument;
	if (!EFI_ERROR(mp->who_am_i(mp, &number)) && !outside((uint32_t)number, own, own_bytes))
		__atomic_add_fetch(&seen_inside, 1, __ATOMIC_SEQ_CST);
}

static void check(const char *what, EFI_STATUS status, uint32_t wanted)
{
	if (EFI_ERROR(status))
		guest_fail("%s: status %lx", what, (uint64_t)status);
	if (seen_inside != wanted)
		guest_fail("%s: %u CPUs of %u are beneath", what, seen_inside, wanted);
	seen_inside = 0;
}

/* A CPU that has been disabled and enabled again is started anew by some firmware. */
static void start_each(UINTN count)
{
	for (UINTN i = 1; i < count; i++) {
		mp->enable(mp, i, FALSE, NULL);
		mp->enable(mp, i, TRUE, NULL);
		check("one CPU", mp->start_one(mp, look, i, NULL, 0, NULL, NULL), 1);
	}
}

void guest_firmware(void)
{
	EFI_GUID guid = {0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};
	UINTN count = 0, enabled = 0;

	if (!option_number("firmware", 0))
		return;
	if (EFI_ERROR(BS->LocateProtocol(&guid, NULL, (VOID **)&mp)) || EFI_ERROR(mp->count(mp, &count, &enabled)))
		guest_fail("no MP services");
	own_memory(&own, &own_bytes);
	for (int turn = 0; turn < TURNS; turn++) {
		check("all CPUs, one by one", mp->start_all(mp, look, TRUE, NULL, 0, NULL, NULL), (uint32_t)enabled - 1);
		check("all CPUs at once", mp->start_all(mp, look, FALSE, NULL, 0, NULL, NULL), (uint32_t)enabled - 1);
		start_each(count);
	}
	print("firmware cpus = %lu\n", enabled);
}
