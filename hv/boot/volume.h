/* SPDX-License-Identifier: Apache-2.0 */
/* A protected partition as the UEFI program knows it, from its discovery to the take-over. */
#ifndef HV_BOOT_VOLUME_H
#define HV_BOOT_VOLUME_H

#include "hv/core/boot_info.h"
#include "storage/volume/luks2.h"
#include <efi.h>

/* Byte access to a disk from a place on, for struct luks2_source. */
struct disk_window {
	EFI_DISK_IO_PROTOCOL *io;
	UINT32 media_id;
	UINT64 first_byte;
};

struct volume {
	char name[64];		   /* for a person: the partition's name and the beginning of its PARTUUID */
	EFI_HANDLE disk;
	struct disk_window window; /* of the header partition */
	UINT64 header_bytes;	   /* of the header partition */
	struct luks2 header;
	struct luks2_place place;
	struct boot_volume boot; /* the key is filled by unlock_volumes() */
	BOOLEAN unlocked;
	BOOLEAN twofold; /* a second NVMe disk shows the same volume */
};

/* The header of `volume` as a source of bytes; valid as long as the volume. */
struct luks2_source volume_source(struct volume *volume);

#endif
