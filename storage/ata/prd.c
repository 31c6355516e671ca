/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical region descriptors. Bus Master IDE 1.2: addresses and byte counts are
 * even, neither a region nor the table crosses 64 KiB: there controllers differ, or
 * go on at the beginning of the 64 KiB. Each entry of the guest's is read once;
 * what the device reads is ours.
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
	if (prd->address % PRD_BOUNDARY + PRD_SIZE(prd) > PRD_BOUNDARY)
		return "a PRD whose region crosses 64 KiB";
	if (!guest_memory(ata, prd->address, PRD_SIZE(prd)))
		return "a PRD outside the guest's memory";
	return NULL;
}

const char *prd_load(struct ata *ata, uint64_t *bytes)
{
	uint64_t gpa = ata->guest_prd & ~3u;

	*bytes = 0;
	/* From its beginning to the next boundary a table has at most as many entries as ours. */
	for (ata->entries = 0; ata->entries < (PRD_BOUNDARY - gpa % PRD_BOUNDARY) / sizeof(struct prd);) {
		struct prd *prd = &ata->table[ata->entries];
		const char *why = load_entry(ata, gpa + ata->entries * sizeof(*prd), prd);

		if (why)
			return why;
		ata->entries++;
		*bytes += PRD_SIZE(prd);
		if (prd->flags & PRD_END)
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
