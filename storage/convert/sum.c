/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/convert/sum.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"

void sum_sha256(const void *data, size_t bytes, uint8_t digest[SUM_BYTES])
{
	struct port_vectors vectors;
	struct sha256 state;

	port_vectors_save(&vectors);
	SHA256_Init(&state);
	SHA256_Update(&state, data, bytes);
	SHA256_Final(digest, &state);
	port_vectors_restore(&vectors);
	secret_wipe(&state, sizeof state);
}
