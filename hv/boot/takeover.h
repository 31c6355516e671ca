/* SPDX-License-Identifier: Apache-2.0 */
/* From firmware to guest: memory, controllers, every CPU. */
#ifndef HV_BOOT_TAKEOVER_H
#define HV_BOOT_TAKEOVER_H

#include "hv/core/boot_info.h"
#include <efi.h>

/* Whether this CPU can carry the hypervisor; otherwise `why` is one sentence for the user. Touches nothing. */
BOOLEAN takeover_supported(const char **why);

/*
 * Starts the hypervisor on every CPU and returns as its guest, with the
 * controllers of info->volume reconnected, so that the firmware reads plaintext.
 * The caller has filled info->policy and info->volume; the keys in `info` are
 * wiped before this returns, whatever the result. On an error nothing is changed:
 * the machine is as it was and may boot on. Device handles and protocols of the
 * reconnected controllers that the caller holds are invalid afterwards.
 */
EFI_STATUS takeover_start(struct boot_info *info);

#endif
