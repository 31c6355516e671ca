/* SPDX-License-Identifier: Apache-2.0 */
/* `underseal protect`: encrypts one partition in place, or goes on where an earlier run stopped. */
#ifndef INSTALLER_PROTECT_H
#define INSTALLER_PROTECT_H

#include "installer/escrow.h"
#include <stdint.h>

struct protect_options {
	const char *target;
	uint32_t partition; /* 0: not given */
	int offline;
	const char *passphrase_file; /* NULL: ask */
	uint32_t sector_size;	     /* bytes; 0: the disk's logical sector */
	uint64_t header_bytes;	     /* 0: 16 MiB, or what there is room for */
	uint64_t zone_bytes;	     /* moved between two commits; 0: 32 MiB */
	struct escrow_request escrow;
	const char *policy_file;     /* NULL: those of the disk's EFI system partition */
	uint32_t pbkdf_kib, iter_ms; /* 0: the defaults of installer/header.h */
};

/* Returns an exit code. */
int protect(const struct protect_options *options);

#endif
