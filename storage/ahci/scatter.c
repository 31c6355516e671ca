/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's scatter list. AHCI 4.2.3.3: addresses and byte counts are even. */
#include "storage/ahci/internal.h"

/* Reads and checks one entry; the pointer to its memory, or NULL when it is not legal. */
static uint8_t *read_entry(const struct ahci *ahci, const struct slot *slot, uint32_t index, struct prd *prd)
{
	const struct prd *guest = guest_memory(ahci, slot->prdt + (uint64_t)index * sizeof(*prd), sizeof(*prd));

	if (!guest || index >= slot->prdtl)
		return NULL;
	prd->address = *(const volatile uint64_t *)&guest->address;
	prd->count = *(const volatile uint32_t *)&guest->count;
	prd->reserved = 0;
	if (prd->address & 1 || !(prd->count & 1))
		return NULL;
	return guest_memory(ahci, prd->address, PRD_BYTES(prd));
}

int scatter_check(const struct ahci *ahci, const struct slot *slot, uint64_t *bytes)
{
	*bytes = 0;
	for (uint32_t i = 0; i < slot->prdtl; i++) {
		struct prd prd;

		if (!read_entry(ahci, slot, i, &prd))
			return -1;
		*bytes += PRD_BYTES(&prd);
	}
	return 0;
}

void *scatter_piece(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, uint32_t most,
	uint32_t *bytes)
{
	struct prd prd;
	uint8_t *memory = read_entry(ahci, slot, cursor->entry, &prd);

	/* The guest may have shortened the entry since. */
	if (!memory || cursor->offset >= PRD_BYTES(&prd))
		return NULL;
	memory += cursor->offset;
	*bytes = PRD_BYTES(&prd) - cursor->offset;
	if (*bytes > most) {
		*bytes = most;
		cursor->offset += most;
	} else {
		cursor->entry++;
		cursor->offset = 0;
	}
	return memory;
}

int scatter_skip(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, uint64_t bytes)
{
	while (bytes) {
		uint32_t part;

		if (!scatter_piece(ahci, slot, cursor, bytes < PRD_MAX_BYTES ? (uint32_t)bytes : PRD_MAX_BYTES, &part))
			return -1;
		bytes -= part;
	}
	return 0;
}

int scatter_copy_in(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, void *to,
	uint32_t bytes)
{
	uint8_t *target = to;

	while (bytes) {
		uint32_t part;
		const void *piece = scatter_piece(ahci, slot, cursor, bytes, &part);

		if (!piece)
			return -1;
		memcpy(target, piece, part);
		target += part;
		bytes -= part;
	}
	return 0;
}

int scatter_copy_out(const struct ahci *ahci, const struct slot *slot, struct sg_cursor *cursor, const void *from,
	uint32_t bytes)
{
	const uint8_t *source = from;

	while (bytes) {
		uint32_t part;
		void *piece = scatter_piece(ahci, slot, cursor, bytes, &part);

		if (!piece)
			return -1;
		memcpy(piece, source, part);
		source += part;
		bytes -= part;
	}
	return 0;
}

uint32_t scatter_to_table(const struct ahci *ahci, const struct slot *slot, struct sg_cursor cursor, uint64_t bytes,
	struct command_table *table)
{
	uint32_t count = 0;

	while (bytes) {
		uint32_t part;
		struct prd prd;

		if (count == TABLE_PRDS || !read_entry(ahci, slot, cursor.entry, &prd) ||
		    cursor.offset >= PRD_BYTES(&prd))
			return 0;
		part = PRD_BYTES(&prd) - cursor.offset;
		if (part > bytes)
			part = (uint32_t)bytes;
		table->prd[count++] =
			(struct prd){.address = prd.address + cursor.offset, .reserved = 0, .count = part - 1};
		cursor.entry++;
		cursor.offset = 0;
		bytes -= part;
	}
	return count;
}
