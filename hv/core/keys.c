/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/keys.h"
#include "storage/crypt/wipe.h"

static struct xts_key arena[BOOT_MAX_VOLUMES];

int keys_init(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->volumes; i++)
		if (xts_key_init(&arena[i], info->volume[i].key, info->volume[i].key_bytes))
			return -1;
	return 0;
}

const struct xts_key *keys_of_volume(uint32_t index)
{
	return &arena[index];
}

void keys_wipe(void)
{
	secret_wipe(arena, sizeof(arena));
}
