/* SPDX-License-Identifier: Apache-2.0 */
/* CAP and Identify as the guest sees them. NVM Express 1.4, section 3.1.1, figures 245 and 247. */
#include "storage/nvme/commands.h"

/* Bits that are cleared in a little-endian field of `bytes` 1, 2 or 4. */
struct identify_rule {
	uint16_t offset;
	uint8_t bytes;
	uint32_t clear;
	const char *reason;
};

static const struct identify_rule controller_rules[] = {
	{76, 1, 1u << 3, "CMIC: asymmetric access has a log page of its own"},
	{92, 4, 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14, "OAES: events whose log pages are refused"},
	{96, 4, ~(1u << 1 | 1u << 6), "CTRATT: sets, groups, recovery levels and host ids have features and pages of their own"},
	{256, 2, 1u << 0, "OACS: Security Send and Receive"},
	{256, 2, 1u << 1, "OACS: Format NVM"},
	{256, 2, 1u << 2, "OACS: firmware download"},
	{256, 2, 1u << 3, "OACS: Namespace Management"},
	{256, 2, 1u << 5, "OACS: directives"},
	{256, 2, 1u << 6, "OACS: NVMe-MI"},
	{256, 2, 1u << 7, "OACS: Virtualization Management"},
	{256, 2, 1u << 9, "OACS: Get LBA Status"},
	{256, 2, 0xfc00, "OACS: what later versions define"},
	{261, 1, 1u << 1 | 1u << 3 | 1u << 4, "LPA: effects, telemetry and persistent events"},
	{261, 1, 0xe0, "LPA: what later versions define"},
	{264, 1, 0xff, "AVSCC: vendor commands"},
	{272, 4, ~0u, "HMPRE: host memory buffer"},
	{276, 4, ~0u, "HMMIN: the same"},
	{312, 4, ~0u, "RPMBS: replay protected memory is reached by Security Send"},
	{328, 4, ~0u, "SANICAP: Sanitize"},
	{343, 1, 0xff, "ANACAP: asymmetric access"},
	{520, 2, 1u << 0, "ONCS: Compare"},
	{520, 2, 1u << 1, "ONCS: Write Uncorrectable"},
	{520, 2, 1u << 3, "ONCS: Write Zeroes"},
	{520, 2, 1u << 5, "ONCS: reservations"},
	{520, 2, 1u << 8, "ONCS: Copy"},
	{520, 2, 0xfe00, "ONCS: what later versions define"},
	{522, 2, 0xffff, "FUSES: fused commands"},
	{530, 1, 0xff, "NVSCC: vendor commands"},
	{531, 1, 0xff, "NWPC: write protection is set by a feature that is refused"},
	{536, 4, ~0u, "SGLS: scatter-gather lists"},
};

static const struct identify_rule namespace_rules[] = {
	{31, 1, 0xff, "RESCAP: reservations"},
	{33, 1, 0x1f, "DLFEAT: zeroes of a deallocated block would decrypt to noise"},
};

static void apply(const struct identify_rule *rules, unsigned count, uint8_t *data)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned byte = 0; byte < rules[i].bytes; byte++)
			data[rules[i].offset + byte] &= (uint8_t)~(rules[i].clear >> 8 * byte);
}

#define MDTS           77
#define MDTS_MOST      7 /* pages as a power of two: NVME_MAX_BYTES */
#define OACS           256
#define OACS_DOORBELLS 1u /* of its second byte: Doorbell Buffer Config, which we carry out ourselves */

void nvme_identify_controller_adjust(uint8_t data[4096])
{
	apply(controller_rules, sizeof(controller_rules) / sizeof(controller_rules[0]), data);
	data[OACS + 1] |= OACS_DOORBELLS;
	if (!data[MDTS] || data[MDTS] > MDTS_MOST)
		data[MDTS] = MDTS_MOST;
}

void nvme_identify_namespace_adjust(uint8_t data[4096])
{
	apply(namespace_rules, sizeof(namespace_rules) / sizeof(namespace_rules[0]), data);
}

/*
 * One command set, pages of 4 KiB; no memory of the controller's own, no boot
 * partitions (they are read by DMA that we do not see), no reset of the subsystem.
 */
uint64_t nvme_cap_adjust(uint64_t cap)
{
	return cap & ~((NVME_CAP_CSS & ~NVME_CAP_CSS_NVM) | NVME_CAP_MPSMAX | NVME_CAP_NSSRS | NVME_CAP_BPS |
		       NVME_CAP_PMRS | NVME_CAP_CMBS);
}

#define NLBAF 25
#define FLBAS 26
#define DPS   29
#define LBAF  128 /* formats of 4 bytes: metadata size 0-15, log2 of the LBA 16-23 */

uint32_t nvme_namespace_lba_bytes(const uint8_t data[4096], const char **why)
{
	unsigned format = data[FLBAS] & 0xf;
	const uint8_t *lbaf = data + LBAF + 4 * format;

	*why = NULL;
	if (format > data[NLBAF] || format > 15)
		*why = "its format is none of those it names";
	else if (lbaf[0] || lbaf[1] || data[DPS] & 7)
		*why = "its blocks carry metadata, which would not be encrypted";
	else if (lbaf[2] != 9 && lbaf[2] != 12)
		*why = "its blocks are neither of 512 nor of 4096 bytes";
	return *why ? 0 : 1u << lbaf[2];
}
