/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/typed.h"
#include "hv/boot/scrub.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>

/* More than an answer has room for. */
#define MAX_KEYS 1024

static UINT32 keys[MAX_KEYS];
static UINTN count;

void typed_note(EFI_INPUT_KEY key)
{
	if (count < MAX_KEYS)
		keys[count++] = SCRUB_KEY(key.ScanCode, key.UnicodeChar);
}

static void scrub_range(UINT64 base, UINT64 end)
{
	if (base < end)
		scrub((UINT8 *)base, end - base, keys, count);
}

void typed_scrub(const VOID *keep, UINTN bytes)
{
	UINT64 kept = (UINT64)keep, kept_end = kept + bytes;
	UINTN entries = 0, key, size;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&entries, &key, &size, &version);

	for (UINTN i = 0; map && i < entries; i++) {
		const EFI_MEMORY_DESCRIPTOR *entry = (EFI_MEMORY_DESCRIPTOR *)((UINT8 *)map + i * size);
		UINT64 base = entry->PhysicalStart, end = base + entry->NumberOfPages * 4096;

		if (entry->Type != EfiBootServicesData)
			continue;
		scrub_range(base, end < kept ? end : kept);
		scrub_range(base > kept_end ? base : kept_end, end);
	}
	if (map)
		FreePool(map);
	secret_wipe(keys, sizeof(keys));
	count = 0;
}
