/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's CPUs, through the MP services protocol (PI 1.7, volume 2, 13.4). */
#ifndef HV_BOOT_CPUS_H
#define HV_BOOT_CPUS_H

#include "hv/core/boot_info.h"
#include <efi.h>

/* Whether every CPU can carry the hypervisor; otherwise `why` is one sentence. */
BOOLEAN cpus_supported(const char **why);

/* Whether every table of the hypervisor's may have pages of 1 GiB. */
BOOLEAN cpus_huge_pages(VOID);

/* Fills info->cpus and info->apic_id with the enabled CPUs. */
EFI_STATUS cpus_list(struct boot_info *info);

/* The calling CPU's place in info->apic_id. */
UINT32 cpus_this_index(const struct boot_info *info);

/* Runs `procedure` on every enabled CPU but this one and waits for all; nothing to do on a single one. */
EFI_STATUS cpus_run_on_others(VOID(EFIAPI *procedure)(VOID *));

#endif
