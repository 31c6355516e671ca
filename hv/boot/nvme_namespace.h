/* SPDX-License-Identifier: Apache-2.0 */
/* How an NVMe namespace is formatted, asked of the firmware's driver. */
#ifndef HV_BOOT_NVME_NAMESPACE_H
#define HV_BOOT_NVME_NAMESPACE_H

#include <efi.h>

/*
 * Why the namespace of the controller cannot be protected, a clause for a person;
 * "" when it can, or the firmware does not tell: the mediator looks again when the
 * system identifies it.
 */
const char *nvme_namespace_refusal(EFI_HANDLE controller, UINT32 namespace_id);

#endif
