/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's own memory, and what of the rest is the guest's RAM. */
#ifndef HV_CORE_MEMORY_H
#define HV_CORE_MEMORY_H

#include "hv/core/boot_info.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes over what `info` describes: memory behind the image, and the table of RAM. Once, at start. */
void memory_init(const struct boot_info *info);

/* `bytes` of zeroed memory, aligned to `alignment` (a power of two); NULL when it is used up. Init only. */
void *memory_take(size_t bytes, size_t alignment);

/* Our own range, 2 MiB aligned on both ends. */
uint64_t memory_base(void);
uint64_t memory_bytes(void);

/* The end of the highest RAM. */
uint64_t memory_end(void);

/* Whether [gpa, gpa+bytes) touches our memory. */
bool memory_is_ours(uint64_t gpa, uint64_t bytes);

/* A pointer to guest RAM, or NULL unless every byte of the range is RAM and none of it ours. */
void *memory_guest(uint64_t gpa, uint64_t bytes);

/* Whether any byte of the range is RAM, ours included. */
bool memory_touches_ram(uint64_t gpa, uint64_t bytes);

#endif
