/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as tpm2-pcr-signature.json, and as a public key in PEM: what is taken out stays inside its bounds. */
#include "storage/volume/pcr_signatures.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct json_node nodes[PCR_SIGNATURES_NODES];
	struct tpm2_signatures signatures;
	struct rsa_key key;
	char *text = malloc(bytes + 1);

	memcpy(text, data, bytes);
	if (rsa_key_read(&key, text, bytes) && (key.bytes < 256 || key.bytes > sizeof(key.modulus)))
		abort();
	if (pcr_signatures_read(&signatures, text, bytes, nodes) && signatures.count)
		abort();
	for (unsigned i = 0; i < signatures.count; i++)
		if (signatures.signature[i].bytes > sizeof(signatures.signature[i].data))
			abort();
	free(text);
	return 0;
}
