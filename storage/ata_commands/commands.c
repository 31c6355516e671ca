/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/ata_commands/commands.h"
#include <stddef.h>

#define ANY             (-1)
#define READ_DMA        0xc8
#define READ_DMA_EXT    0x25
#define READ_FPDMA      0x60
#define DEVICE_LBA      0x40
#define RESERVED_OPCODE 0x01 /* reserved by ACS-3: aborted */
#define NO_SUCH_LBA     0xffffffffffffull

const struct command_rule command_rules[] = {
	/* Data of the medium. */
	{0x20, COMMAND_READ, ADDRESS_28, BY_PIO, ANY, "READ SECTOR(S)"},
	{0x21, COMMAND_READ, ADDRESS_28, BY_PIO, ANY, "READ SECTOR(S) without retry: old drivers"},
	{0x24, COMMAND_READ, ADDRESS_48, BY_PIO, ANY, "READ SECTOR(S) EXT"},
	{0x25, COMMAND_READ, ADDRESS_48, BY_DMA, ANY, "READ DMA EXT"},
	{0x29, COMMAND_READ, ADDRESS_48, BY_PIO_MULTIPLE, ANY, "READ MULTIPLE EXT"},
	{0x60, COMMAND_READ, ADDRESS_NCQ, BY_QUEUE, ANY, "READ FPDMA QUEUED"},
	{0xc4, COMMAND_READ, ADDRESS_28, BY_PIO_MULTIPLE, ANY, "READ MULTIPLE"},
	{0xc8, COMMAND_READ, ADDRESS_28, BY_DMA, ANY, "READ DMA"},
	{0xc9, COMMAND_READ, ADDRESS_28, BY_DMA, ANY, "READ DMA without retry: old drivers"},
	{0x30, COMMAND_WRITE, ADDRESS_28, BY_PIO, ANY, "WRITE SECTOR(S)"},
	{0x31, COMMAND_WRITE, ADDRESS_28, BY_PIO, ANY, "WRITE SECTOR(S) without retry: old drivers"},
	{0x34, COMMAND_WRITE, ADDRESS_48, BY_PIO, ANY, "WRITE SECTOR(S) EXT"},
	{0x35, COMMAND_WRITE, ADDRESS_48, BY_DMA, ANY, "WRITE DMA EXT"},
	{0x39, COMMAND_WRITE, ADDRESS_48, BY_PIO_MULTIPLE, ANY, "WRITE MULTIPLE EXT"},
	{0x3d, COMMAND_WRITE, ADDRESS_48, BY_DMA, ANY, "WRITE DMA FUA EXT: FUA keeps its meaning"},
	{0x61, COMMAND_WRITE, ADDRESS_NCQ, BY_QUEUE, ANY, "WRITE FPDMA QUEUED: FUA keeps its meaning"},
	{0xc5, COMMAND_WRITE, ADDRESS_28, BY_PIO_MULTIPLE, ANY, "WRITE MULTIPLE"},
	{0xca, COMMAND_WRITE, ADDRESS_28, BY_DMA, ANY, "WRITE DMA"},
	{0xcb, COMMAND_WRITE, ADDRESS_28, BY_DMA, ANY, "WRITE DMA without retry: old drivers"},
	{0xce, COMMAND_WRITE, ADDRESS_48, BY_PIO_MULTIPLE, ANY, "WRITE MULTIPLE FUA EXT"},
	/* No data, or data that is not the medium's. */
	{0x00, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "NOP"},
	{0x06, COMMAND_TRIM, ADDRESS_NONE, BY_DMA, 0x01, "DATA SET MANAGEMENT, TRIM: passed by policy"},
	{0x08, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "DEVICE RESET"},
	{0x10, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "RECALIBRATE: old drivers"},
	{0x2f, COMMAND_PASS, ADDRESS_NONE, BY_PIO, ANY, "READ LOG EXT: error recovery reads page 10h"},
	{0x40, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "READ VERIFY SECTOR(S): no data crosses"},
	{0x41, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "READ VERIFY without retry"},
	{0x42, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "READ VERIFY SECTOR(S) EXT"},
	{0x47, COMMAND_PASS, ADDRESS_NONE, BY_DMA, ANY, "READ LOG DMA EXT"},
	{0x70, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "SEEK: old drivers"},
	{0x90, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "EXECUTE DEVICE DIAGNOSTIC"},
	{0x91, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "INITIALIZE DEVICE PARAMETERS: old drivers"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, BY_PIO, 0xd0, "SMART READ DATA"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, BY_PIO, 0xd1, "SMART READ THRESHOLDS: old tools"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xd2, "SMART ATTRIBUTE AUTOSAVE"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xd4, "SMART EXECUTE OFF-LINE IMMEDIATE: self-tests read only"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, BY_PIO, 0xd5, "SMART READ LOG"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xd8, "SMART ENABLE"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xd9, "SMART DISABLE"},
	{0xb0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xda, "SMART RETURN STATUS"},
	{0xc6, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "SET MULTIPLE MODE"},
	{0xe0, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "STANDBY IMMEDIATE"},
	{0xe1, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "IDLE IMMEDIATE"},
	{0xe2, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "STANDBY"},
	{0xe3, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "IDLE"},
	{0xe5, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "CHECK POWER MODE"},
	{0xe6, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "SLEEP"},
	{0xe7, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "FLUSH CACHE keeps its meaning"},
	{0xea, COMMAND_PASS, ADDRESS_NONE, NO_DATA, ANY, "FLUSH CACHE EXT keeps its meaning"},
	{0xec, COMMAND_IDENTIFY, ADDRESS_NONE, BY_PIO, ANY, "IDENTIFY DEVICE, without what is refused here"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x02, "SET FEATURES: enable write cache"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x03, "SET FEATURES: transfer mode"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x05, "SET FEATURES: power management level"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x07, "SET FEATURES: spin up"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x10, "SET FEATURES: enable a SATA feature"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x42, "SET FEATURES: acoustic management"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x55, "SET FEATURES: disable read look-ahead"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x82, "SET FEATURES: disable write cache"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x85, "SET FEATURES: disable power management"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0x90, "SET FEATURES: disable a SATA feature"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xaa, "SET FEATURES: enable read look-ahead"},
	{0xef, COMMAND_PASS, ADDRESS_NONE, NO_DATA, 0xc2, "SET FEATURES: disable acoustic management"},
	/* Named refusals: what a reader may look for. Everything else is refused as well. */
	{0x3f, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "WRITE LOG EXT: could start a streaming or SCT write"},
	{0x45, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "WRITE UNCORRECTABLE EXT: makes ciphertext unreadable"},
	{0x63, COMMAND_REFUSE, ADDRESS_NCQ, BY_QUEUE, ANY, "NCQ NON-DATA: hidden"},
	{0x64, COMMAND_REFUSE, ADDRESS_NCQ, BY_QUEUE, ANY, "SEND FPDMA QUEUED: hidden"},
	{0x65, COMMAND_REFUSE, ADDRESS_NCQ, BY_QUEUE, ANY, "RECEIVE FPDMA QUEUED: hidden"},
	{0x92, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "DOWNLOAD MICROCODE: beneath our trust"},
	{0xb1, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "DEVICE CONFIGURATION OVERLAY: changes the capacity"},
	{0xb4, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "SANITIZE: destroys the volume"},
	{0xf4, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "SECURITY ERASE UNIT: destroys the volume"},
	{0xf9, COMMAND_REFUSE, ADDRESS_NONE, NO_DATA, ANY, "SET MAX ADDRESS: changes the capacity"},
};

const unsigned command_rule_count = sizeof(command_rules) / sizeof(command_rules[0]);

static const struct command_rule *find(const struct fis_h2d *fis)
{
	for (unsigned i = 0; i < command_rule_count; i++)
		if (command_rules[i].opcode == fis->command &&
		    (command_rules[i].feature == ANY || command_rules[i].feature == fis->feature))
			return &command_rules[i];
	return NULL;
}

bool command_is_28_bit(uint8_t opcode)
{
	for (unsigned i = 0; i < command_rule_count; i++)
		if (command_rules[i].opcode == opcode)
			return command_rules[i].address == ADDRESS_28;
	return false;
}

static bool is_queued(uint8_t opcode)
{
	return opcode == READ_FPDMA || opcode == 0x61 || (opcode >= 0x63 && opcode <= 0x65);
}

static uint64_t lba_low(const struct fis_h2d *fis)
{
	return fis->lba0 | (uint64_t)fis->lba1 << 8 | (uint64_t)fis->lba2 << 16;
}

static uint64_t lba_48(const struct fis_h2d *fis)
{
	return lba_low(fis) | (uint64_t)fis->lba3 << 24 | (uint64_t)fis->lba4 << 32 | (uint64_t)fis->lba5 << 40;
}

uint32_t command_max_sectors(enum command_address address)
{
	return address == ADDRESS_28 ? 256 : 65536;
}

/* A 28-bit command in CHS addressing names sectors we cannot map: refused (no drive of this age offers it). */
struct command command_decode(const struct fis_h2d *fis)
{
	const struct command_rule *rule = find(fis);
	struct command command = {.class = COMMAND_REFUSE, .ncq = is_queued(fis->command)};
	uint32_t raw = 0;

	if (!rule)
		return command;
	command.class = rule->class;
	command.address = rule->address;
	command.protocol = rule->protocol;
	if (command.class != COMMAND_READ && command.class != COMMAND_WRITE)
		return command;
	if (!(fis->device & DEVICE_LBA)) {
		command.class = COMMAND_REFUSE;
		return command;
	}
	switch (command.address) {
	case ADDRESS_28:
		command.lba = lba_low(fis) | (uint64_t)(fis->device & 0xf) << 24;
		raw = fis->count;
		break;
	case ADDRESS_48:
		command.lba = lba_48(fis);
		raw = fis->count | (uint32_t)fis->count_high << 8;
		break;
	case ADDRESS_NCQ:
		command.lba = lba_48(fis);
		raw = fis->feature | (uint32_t)fis->feature_high << 8;
		break;
	case ADDRESS_NONE:
		break;
	}
	command.count = raw ? raw : command_max_sectors(command.address);
	return command;
}

void command_set_range(struct fis_h2d *fis, enum command_address address, uint64_t lba, uint32_t count)
{
	fis->lba0 = (uint8_t)lba;
	fis->lba1 = (uint8_t)(lba >> 8);
	fis->lba2 = (uint8_t)(lba >> 16);
	if (address == ADDRESS_28) {
		fis->device = (uint8_t)((fis->device & 0xf0) | (lba >> 24 & 0xf));
		fis->count = (uint8_t)count;
		return;
	}
	fis->lba3 = (uint8_t)(lba >> 24);
	fis->lba4 = (uint8_t)(lba >> 32);
	fis->lba5 = (uint8_t)(lba >> 40);
	if (address == ADDRESS_NCQ) {
		fis->feature = (uint8_t)count;
		fis->feature_high = (uint8_t)(count >> 8);
	} else {
		fis->count = (uint8_t)count;
		fis->count_high = (uint8_t)(count >> 8);
	}
}

void command_make_read(struct fis_h2d *fis, enum command_address address)
{
	static const uint8_t opcodes[] = {
		[ADDRESS_28] = READ_DMA, [ADDRESS_48] = READ_DMA_EXT, [ADDRESS_NCQ] = READ_FPDMA};

	fis->command = opcodes[address];
}

void command_make_refusal(struct fis_h2d *fis, bool ncq)
{
	if (ncq) {
		fis->command = READ_FPDMA;
		fis->device = DEVICE_LBA;
		command_set_range(fis, ADDRESS_NCQ, NO_SUCH_LBA, 1);
	} else {
		fis->command = RESERVED_OPCODE;
	}
}
