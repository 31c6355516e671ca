/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypt/wipe.h"
#include <string.h>

void secret_wipe(void *memory, size_t bytes)
{
	memset(memory, 0, bytes);
	/* The compiler must believe that somebody reads the zeroes. */
	__asm__ volatile("" : : "r"(memory) : "memory");
}
