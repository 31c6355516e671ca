/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 in one call, with the guest's vector registers kept. */
#ifndef STORAGE_CONVERT_SUM_H
#define STORAGE_CONVERT_SUM_H

#include "storage/crypt/sha2.h"

#define SUM_BYTES SHA256_BYTES

void sum_sha256(const void *data, size_t bytes, uint8_t digest[SUM_BYTES]);

#endif
