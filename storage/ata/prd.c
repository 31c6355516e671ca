/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical region descriptors. Bus Master IDE 1.2: addresses and byte counts are
 * even, neither a region nor the table crosses 64 KiB: there controllers differ, or
 * go on at the beginning of the 64 KiB. UEFI firmware has regions that cross it all
 * the same: they become two. Each entry of the guest's is read once; what the device
 * reads is ours.
 */
#include "storage/ata/internal.h"

/* One entry of the guest's; NULL or what is wrong with it. */
static const char *load_entry(const struct ata *ata, uint64_t gpa, struct prd *prd)
{
	const volatile uint32_t *entry = guest_memory(ata, gpa, sizeof(*prd));
	uint32_t raw[2];

	if (!entry)
		return "a PRD table outside the guest's memory";
	raw[0] = entry[0];
	raw[1] = entry[1];
	memcpy(prd, raw, sizeof(*prd));
	prd->flags &= PRD_END;
	if (prd->address & 1 || prd->bytes & 1)
		return "a PRD that is not aligned";
	/* The controller's addresses have 32 bits. */
	if ((uint64_t)prd->address + PRD_SIZE(prd) > 1ull << 32 || !guest_memory(ata, prd->address, PRD_SIZE(prd)))
		return "a PRD outside the guest's memory";
	return NULL;
}

/* Adds the region to our table, in parts that cross no boundary. False when there is no room. */
static bool add_region(struct ata *ata, const struct prd *prd)
{
	uint32_t address = prd->address, bytes = PRD_SIZE(prd);

	while (bytes) {
		uint32_t room = PRD_BOUNDARY - address % PRD_BOUNDARY, part = bytes < room ? bytes : room;

		if (ata->entries == TABLE_ENTRIES)
			return false;
		bytes -= part;
		ata->table[ata->entries++] =
			(struct prd){.address = address, .bytes = (uint16_t)part, .flags = bytes ? 0 : prd->flags};
		address += part;
	}
	return true;
}

const char *prd_load(struct ata *ata, uint64_t *bytes)
{
	uint64_t gpa = ata->guest_prd & ~3u;
	uint32_t count = (uint32_t)((PRD_BOUNDARY - gpa % PRD_BOUNDARY) / sizeof(struct prd));

	*bytes = 0;
	ata->entries = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct prd prd;
		const char *why = load_entry(ata, gpa + i * sizeof(prd), &prd);

		if (why)
			return why;
		if (!add_region(ata, &prd))
			return "a PRD table with too many regions that cross 64 KiB";
		*bytes += PRD_SIZE(&prd);
		if (prd.flags & PRD_END)
			return NULL;
	}
	return "a PRD table that crosses 64 KiB";
}

void prd_copy_from(const struct ata *ata, uint8_t *to, uint32_t bytes)
{
	for (const struct prd *prd = ata->table; bytes; prd++) {
		uint32_t part = PRD_SIZE(prd) < bytes ? PRD_SIZE(prd) : bytes;

		memcpy(to, guest_memory(ata, prd->address, part), part);
		to += part;
		bytes -= part;
	}
}

void prd_of_bounce(struct ata *ata, uint32_t bytes)
{
	uint32_t address = (uint32_t)ata->env->bus_address(ata->env->context, ata->bounce);

	for (ata->entries = 0; bytes; ata->entries++) {
		uint32_t part = PRD_BOUNDARY - address % PRD_BOUNDARY;

		part = part < bytes ? part : bytes;
		bytes -= part;
		ata->table[ata->entries] = (struct prd){
			.address = address, .bytes = (uint16_t)part, .flags = bytes ? 0 : PRD_END};
		address += part;
	}
}

static uint8_t *piece(const void *context, uint32_t index, uint32_t *bytes)
{
	const struct ata *ata = context;
	const struct prd *prd = &ata->table[index];

	*bytes = PRD_SIZE(prd);
	return guest_memory(ata, prd->address, *bytes);
}

void prd_decrypt(const struct ata *ata, uint64_t at, uint64_t bytes, struct cipher_scope *scope)
{
	transform_pieces(map_of(ata), at, bytes, false, &(struct pieces){piece, ata}, scope);
}
