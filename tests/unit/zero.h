/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_ZERO_H
#define TESTS_UNIT_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether nothing is left of what stood there. */
static inline bool is_zero(const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes && !*at) {
		at++;
		bytes--;
	}
	return !bytes;
}

#endif
