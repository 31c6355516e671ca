/* SPDX-License-Identifier: Apache-2.0 */
/* Vector registers are saved at the first use of AES in an access of the guest's, and restored at its end. */
#ifndef STORAGE_CRYPT_SCOPE_H
#define STORAGE_CRYPT_SCOPE_H

#include "storage/port.h"

/* On the caller's stack; all zeroes before. */
struct cipher_scope {
	bool saved;
	struct port_vectors vectors;
};

/* Before AES is used; any number of times. */
void cipher_begin(struct cipher_scope *scope);
/* Once, when no AES follows. */
void cipher_end(struct cipher_scope *scope);

#endif
