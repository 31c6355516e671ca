/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file tpm2-pcr-signature.json, as systemd-measure writes it: for each bank a list
 * of signed PCR policies. Only the bank of SHA-256 is read.
 */
#ifndef STORAGE_VOLUME_PCR_SIGNATURES_H
#define STORAGE_VOLUME_PCR_SIGNATURES_H

#include "keymgmt/tpm2.h"
#include "storage/volume/json.h"

#define PCR_SIGNATURES_MAX_BYTES 32768
#define PCR_SIGNATURES_NODES	 512

/*
 * Takes what can be used out of `bytes` of `text`, which is changed; entries that
 * cannot, and those behind the first TPM2_MAX_SIGNATURES, are left out. NULL, or what
 * is wrong with the text: part of a sentence.
 */
const char *pcr_signatures_read(struct tpm2_signatures *signatures, char *text, size_t bytes,
	struct json_node nodes[PCR_SIGNATURES_NODES]);

#endif
