/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/tpm2_wire.h"
#include <string.h>

bool tpm2_pcrs_weak(uint32_t pcrs)
{
	return !(pcrs & 1u << 12) || !(pcrs & (1u << 4 | 1u << 7));
}

/* Reads what the TPM answers as one PCR of one bank; a bank it does not have gives no digest. */
static bool parse_pcr(struct tpm2_reader *response, uint8_t digest[TPM2_MAX_DIGEST], size_t *bytes)
{
	uint32_t selections, digests;
	struct tpm2_reader value = {0};

	tpm2_get32(response); /* how often PCRs have changed */
	selections = tpm2_get32(response);
	for (uint32_t i = 0; i < selections && !response->short_of; i++) {
		tpm2_get16(response);
		tpm2_get(response, tpm2_get8(response));
	}
	digests = tpm2_get32(response);
	if (digests == 1)
		value = tpm2_get_sized(response);
	if (digests > 1 || !tpm2_at_end(response) || value.left > TPM2_MAX_DIGEST)
		return false;
	if (value.left)
		memcpy(digest, value.at, value.left);
	*bytes = value.left;
	return true;
}

enum tpm2_result tpm2_pcr_read(struct tpm2 *tpm, enum tpm2_bank bank, unsigned pcr,
	uint8_t digest[TPM2_MAX_DIGEST], size_t *bytes)
{
	struct tpm2_writer command = tpm2_begin(tpm, TPM2_NO_SESSIONS, TPM2_CC_PCR_READ);
	struct tpm2_reader response;
	enum tpm2_result result;

	*bytes = 0;
	tpm2_put_selection(&command, bank, 1u << pcr);
	result = tpm2_run(tpm, &command, &response);
	if (result)
		return result;
	return parse_pcr(&response, digest, bytes) ? TPM2_OK : TPM2_BAD_ANSWER;
}
