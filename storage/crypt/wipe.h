/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that erases secrets. */
#ifndef STORAGE_CRYPT_WIPE_H
#define STORAGE_CRYPT_WIPE_H

#include <stddef.h>

/* Overwrites `bytes` at `memory` with zeroes; the compiler may not drop it. */
void secret_wipe(void *memory, size_t bytes);

#endif
