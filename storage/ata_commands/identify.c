/* SPDX-License-Identifier: Apache-2.0 */
/* IDENTIFY DEVICE as the guest sees it: nothing it is told of may be refused later. ACS-3 7.12.7. */
#include "storage/ata_commands/identify.h"

static const struct identify_rule {
	uint16_t word;
	uint16_t clear;
	const char *reason;
} rules[] = {
	{48, 0xffff, "trusted computing feature set: could lock ranges beneath us"},
	{59, 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15, "SANITIZE destroys the volume"},
	{69, 1u << 14 | 1u << 5, "DRAT, RZAT: zeroes of a trimmed sector would decrypt to noise"},
	{69, 1u << 8 | 1u << 4, "DOWNLOAD MICROCODE DMA; encrypt-all feature"},
	{76, 1u << 13, "NCQ streaming"},
	{77, 1u << 6 | 1u << 5, "RECEIVE/SEND FPDMA QUEUED, NCQ NON-DATA"},
	{82, 1u << 1, "security feature set"},
	{82, 1u << 10, "host protected area: SET MAX changes the capacity"},
	{82, 1u << 12 | 1u << 13, "READ and WRITE BUFFER"},
	{83, 1u << 0 | 1u << 8 | 1u << 11, "DOWNLOAD MICROCODE, SET MAX security, DCO"},
	{83, 1u << 1, "READ and WRITE DMA QUEUED"},
	{84, 1u << 4, "streaming"},
	{84, 1u << 7, "WRITE DMA QUEUED FUA EXT"},
	{85, 1u << 1 | 1u << 10, "security and host protected area, enabled"},
	{85, 1u << 12 | 1u << 13, "READ and WRITE BUFFER, enabled"},
	{86, 1u << 0 | 1u << 8 | 1u << 11, "microcode, SET MAX security, DCO, enabled"},
	{86, 1u << 1, "READ and WRITE DMA QUEUED, enabled"},
	{87, 1u << 4, "streaming, enabled"},
	{87, 1u << 7, "WRITE DMA QUEUED FUA EXT, enabled"},
	{119, 1u << 2 | 1u << 4, "WRITE UNCORRECTABLE, segmented microcode"},
	{120, 1u << 2 | 1u << 4, "the same, enabled"},
	{128, 0xffff, "security status"},
	{206, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5, "SCT: write same and its kin bypass the map"},
	{214, 0xffff, "NV cache"},
};

#define CHECKSUM_WORD      255
#define CHECKSUM_SIGNATURE 0xa5

void identify_adjust(uint16_t words[256])
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		words[rules[i].word] &= (uint16_t)~rules[i].clear;
	if ((words[CHECKSUM_WORD] & 0xff) != CHECKSUM_SIGNATURE)
		return;
	for (unsigned i = 0; i < 511; i++)
		sum = (uint8_t)(sum + (words[i / 2] >> 8 * (i % 2)));
	words[CHECKSUM_WORD] = (uint16_t)(CHECKSUM_SIGNATURE | (uint8_t)-sum << 8);
}
