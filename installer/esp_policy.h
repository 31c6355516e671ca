/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy files on a disk's EFI system partition ask of the command (hv/boot/policy.h). */
#ifndef INSTALLER_ESP_POLICY_H
#define INSTALLER_ESP_POLICY_H

#include "installer/gpt.h"

/*
 * *required: whether a policy says escrow=required. Read are `file`, or, when that is
 * NULL, underseal.conf in each directory of \EFI on the EFI system partitions of the
 * disk; lines that cannot be used are warned of. Returns an exit code: what cannot be
 * read might require it.
 */
int esp_policy_escrow(const struct target *target, const struct gpt *gpt, const char *file, int *required);

#endif
