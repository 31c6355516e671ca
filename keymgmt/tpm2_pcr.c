/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/tpm2_wire.h"
#include <string.h>

bool tpm2_pcrs_weak(uint32_t pcrs)
{
	return !(pcrs & 1u << 12) || !(pcrs & (1u << 4 | 1u << 7));
}

/* TCG PC Client Platform Firmware Profile 1.05, 3.3.4; of the upper ones what boot programs have agreed on. */
const char *tpm2_pcr_text(unsigned pcr)
{
	static const char *const texts[] = {
		[0] = "An update of the firmware changes it.",
		[1] = "Other settings of the firmware change it, or other hardware.",
		[2] = "A card that was added, removed or updated changes it.",
		[3] = "Other settings of a card's own firmware change it.",
		[4] = "Another boot program changes it: underseal.efi itself, or what starts it.",
		[5] = "Another partition table changes it, or other settings of a boot program.",
		[6] = "What changes it is up to the maker of the computer.",
		[7] = "Secure Boot changes it when it is switched on or off, or gets other keys or another list of "
		      "forbidden programs (dbx).",
		[12] = "Another policy file (underseal.conf) changes it.",
		[14] = "Other keys of the boot program shim (MOK) change it.",
	};

	if (pcr < sizeof(texts) / sizeof(texts[0]) && texts[pcr])
		return texts[pcr];
	return "A boot program that runs before underseal.efi changes it.";
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
