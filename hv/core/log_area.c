/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/log_area.h"
#include <string.h>

#define MAGIC 0x31474f4c4c414553ull /* "SEALLOG1" */

bool log_ring_exists(const struct log_ring *ring)
{
	return ring->magic == MAGIC;
}

/* Memory that was without power for a moment has flipped bits: nothing but text leaves it. */
static void make_readable(struct log_ring *ring)
{
	for (uint32_t i = 0; i < LOG_TEXT_BYTES; i++)
		if ((ring->text[i] < ' ' || ring->text[i] > '~') && ring->text[i] != '\n')
			ring->text[i] = '?';
	if (ring->end >= LOG_ENDS)
		ring->end = LOG_END_UNSEEN;
}

void log_area_rotate(struct log_area *area)
{
	if (log_ring_exists(&area->current)) {
		memcpy(&area->previous, &area->current, sizeof(area->previous));
		make_readable(&area->previous);
	} else {
		memset(&area->previous, 0, sizeof(area->previous));
	}
	memset(&area->current, 0, sizeof(area->current));
	area->current.magic = MAGIC;
}

uint32_t log_ring_read(const struct log_ring *ring, uint64_t *sequence, void *out, uint32_t bytes)
{
	char *text = out;
	uint32_t count = 0;

	if (ring->written > LOG_TEXT_BYTES && *sequence < ring->written - LOG_TEXT_BYTES)
		*sequence = ring->written - LOG_TEXT_BYTES;
	for (; count < bytes && *sequence < ring->written && count < ring->written - *sequence; count++)
		text[count] = ring->text[(*sequence + count) % LOG_TEXT_BYTES];
	return count;
}
