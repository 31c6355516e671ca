/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/argon2.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <argon2.h>

/* libargon2's callbacks carry no context: this is the one of the derivation that holds the lock. */
static const struct argon2_memory *current;
static struct port_lock lock;

static int take(uint8_t **memory, size_t bytes)
{
	*memory = current->take(current->context, bytes);
	return *memory ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}

/* Wiped by libargon2 before; the unit test looks. */
static void give_back(uint8_t *memory, size_t bytes)
{
	current->give_back(current->context, memory, bytes);
}

enum argon2_result argon2id(const struct argon2_cost *cost, const struct argon2_memory *memory,
	const void *passphrase, size_t passphrase_bytes, const void *salt, size_t salt_bytes, uint8_t *key,
	size_t key_bytes)
{
	argon2_context context = {
		.out = key,
		.outlen = (uint32_t)key_bytes,
		.pwd = (uint8_t *)passphrase, /* not changed without ARGON2_FLAG_CLEAR_PASSWORD */
		.pwdlen = (uint32_t)passphrase_bytes,
		.salt = (uint8_t *)salt,
		.saltlen = (uint32_t)salt_bytes,
		.t_cost = cost->passes,
		.m_cost = cost->memory_kib,
		.lanes = cost->lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.allocate_cbk = take,
		.free_cbk = give_back,
	};
	int result;

	port_lock(&lock);
	current = memory;
	result = argon2id_ctx(&context);
	current = NULL;
	port_unlock(&lock);
	secret_wipe(&context, sizeof(context));
	if (result == ARGON2_OK)
		return ARGON2_DONE;
	secret_wipe(key, key_bytes);
	return result == ARGON2_MEMORY_ALLOCATION_ERROR ? ARGON2_NO_MEMORY : ARGON2_BAD_COST;
}
