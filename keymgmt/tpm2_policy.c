/* SPDX-License-Identifier: Apache-2.0 */
/* Policies computed without a TPM: for a state of the computer that it is not in now. */
#include "keymgmt/tpm2_wire.h"
#include "storage/crypt/hash.h"
#include <string.h>

/* A policy is extended by what its command stands for (part 1, 19.7.5). */
static void extend(uint8_t digest[TPM2_POLICY_BYTES], const struct tpm2_writer *by)
{
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	hash_update(&hash, digest, TPM2_POLICY_BYTES);
	hash_update(&hash, by->data, by->bytes);
	hash_final(&hash, digest);
}

static void digest_of_values(const struct tpm2_pcrs *pcrs, uint8_t digest[SHA256_BYTES])
{
	struct hash hash;

	hash_init(&hash, HASH_SHA256);
	for (unsigned i = 0; i < TPM2_PCRS; i++)
		if (pcrs->mask & 1u << i)
			hash_update(&hash, pcrs->value[i], TPM2_PCR_BYTES);
	hash_final(&hash, digest);
}

static void policy_pcr(const struct tpm2_pcrs *pcrs, uint8_t digest[TPM2_POLICY_BYTES])
{
	uint8_t data[4 + 10 + SHA256_BYTES], values[SHA256_BYTES];
	struct tpm2_writer by = {.data = data, .capacity = sizeof(data)};

	digest_of_values(pcrs, values);
	tpm2_put32(&by, TPM2_CC_POLICY_PCR);
	tpm2_put_selection(&by, TPM2_SHA256, pcrs->mask);
	tpm2_put(&by, values, sizeof(values));
	extend(digest, &by);
}

static void policy_auth_value(uint8_t digest[TPM2_POLICY_BYTES])
{
	uint8_t data[4];
	struct tpm2_writer by = {.data = data, .capacity = sizeof(data)};

	tpm2_put32(&by, TPM2_CC_POLICY_AUTH_VALUE);
	extend(digest, &by);
}

void tpm2_policy_digest(const struct tpm2_pcrs *pcrs, bool pin, uint8_t digest[TPM2_POLICY_BYTES])
{
	memset(digest, 0, TPM2_POLICY_BYTES);
	if (pcrs->mask)
		policy_pcr(pcrs, digest);
	if (pin)
		policy_auth_value(digest);
}
