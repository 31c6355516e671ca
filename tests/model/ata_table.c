/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/ata_table.h"
#include <string.h>

#define NONE   .known = true, .unit = ATA_NOTHING
#define READ   .known = true, .direction = ATA_IN, .unit = ATA_SECTORS
#define WRITE  .known = true, .direction = ATA_OUT, .unit = ATA_SECTORS
#define BLOCKS .known = true, .unit = ATA_BLOCKS, .wide = true

static const struct ata_row rows[256] = {
	[0x00] = {NONE},
	[0x06] = {BLOCKS, .direction = ATA_OUT},		       /* DATA SET MANAGEMENT */
	[0x10] = {NONE},					       /* RECALIBRATE */
	[0x20] = {READ, .pio = true},				       /* READ SECTORS */
	[0x21] = {READ, .pio = true},				       /* without retries */
	[0x24] = {READ, .wide = true, .pio = true},		       /* READ SECTORS EXT */
	[0x25] = {READ, .wide = true},				       /* READ DMA EXT */
	[0x27] = {NONE, .wide = true},				       /* READ NATIVE MAX ADDRESS EXT */
	[0x29] = {READ, .wide = true, .pio = true, .multiple = true},  /* READ MULTIPLE EXT */
	[0x2a] = {READ, .wide = true, .dangerous = true},	       /* READ STREAM DMA EXT */
	[0x2b] = {READ, .wide = true, .pio = true, .dangerous = true}, /* READ STREAM EXT */
	[0x2f] = {.known = true, .direction = ATA_IN, .unit = ATA_LOG, .wide = true, .pio = true},
	[0x30] = {WRITE, .pio = true},
	[0x31] = {WRITE, .pio = true},
	[0x34] = {WRITE, .wide = true, .pio = true},
	[0x35] = {WRITE, .wide = true},
	[0x37] = {NONE, .wide = true, .dangerous = true}, /* SET MAX ADDRESS EXT */
	[0x39] = {WRITE, .wide = true, .pio = true, .multiple = true},
	[0x3a] = {WRITE, .wide = true, .dangerous = true},
	[0x3b] = {WRITE, .wide = true, .pio = true, .dangerous = true},
	[0x3d] = {WRITE, .wide = true},						 /* FUA */
	[0x3f] = {BLOCKS, .direction = ATA_OUT, .pio = true, .dangerous = true}, /* WRITE LOG EXT */
	[0x40] = {.known = true, .unit = ATA_VERIFY},
	[0x41] = {.known = true, .unit = ATA_VERIFY},
	[0x42] = {.known = true, .unit = ATA_VERIFY, .wide = true},
	[0x45] = {NONE, .wide = true, .dangerous = true}, /* WRITE UNCORRECTABLE EXT */
	[0x47] = {.known = true, .direction = ATA_IN, .unit = ATA_LOG, .wide = true},
	[0x57] = {BLOCKS, .direction = ATA_OUT, .dangerous = true},		 /* WRITE LOG DMA EXT */
	[0x5c] = {BLOCKS, .direction = ATA_IN, .pio = true, .dangerous = true},	 /* TRUSTED RECEIVE */
	[0x5e] = {BLOCKS, .direction = ATA_OUT, .pio = true, .dangerous = true}, /* TRUSTED SEND */
	[0x60] = {READ, .wide = true, .ncq = true},
	[0x61] = {WRITE, .wide = true, .ncq = true},
	[0x63] = {NONE, .wide = true, .ncq = true, .dangerous = true},
	[0x64] = {BLOCKS, .ncq = true, .direction = ATA_OUT, .dangerous = true},
	[0x65] = {BLOCKS, .ncq = true, .direction = ATA_IN, .dangerous = true},
	[0x70] = {NONE},
	[0x90] = {NONE},
	[0x91] = {NONE},
	[0x92] = {BLOCKS, .direction = ATA_OUT, .pio = true, .dangerous = true}, /* DOWNLOAD MICROCODE */
	[0x93] = {BLOCKS, .direction = ATA_OUT, .dangerous = true},
	[0xb0] = {.known = true, .unit = ATA_SMART, .pio = true},
	[0xb1] = {NONE, .dangerous = true}, /* DEVICE CONFIGURATION */
	[0xb4] = {NONE, .wide = true, .dangerous = true},
	[0xc0] = {NONE, .dangerous = true}, /* CFA ERASE */
	[0xc4] = {READ, .pio = true, .multiple = true},
	[0xc5] = {WRITE, .pio = true, .multiple = true},
	[0xc6] = {NONE},
	[0xc8] = {READ},
	[0xc9] = {READ},
	[0xca] = {WRITE},
	[0xcb] = {WRITE},
	[0xce] = {WRITE, .wide = true, .pio = true, .multiple = true},
	[0xe0] = {NONE},
	[0xe1] = {NONE},
	[0xe2] = {NONE},
	[0xe3] = {NONE},
	[0xe4] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_IN, .pio = true},
	[0xe5] = {NONE},
	[0xe6] = {NONE},
	[0xe7] = {NONE},
	[0xe8] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_OUT, .pio = true},
	[0xea] = {NONE},
	[0xec] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_IN, .pio = true},
	[0xef] = {NONE},
	[0xf1] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_OUT, .pio = true, .dangerous = true},
	[0xf2] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_OUT, .pio = true, .dangerous = true},
	[0xf3] = {NONE, .dangerous = true},
	[0xf4] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_OUT, .pio = true, .dangerous = true},
	[0xf5] = {NONE, .dangerous = true},
	[0xf6] = {.known = true, .unit = ATA_ONE_BLOCK, .direction = ATA_OUT, .pio = true, .dangerous = true},
	[0xf8] = {NONE},
	[0xf9] = {NONE, .dangerous = true},
};

const struct ata_row *ata_row(uint8_t opcode)
{
	return &rows[opcode];
}

uint8_t ata_smart_plan(const struct ata_command *command, struct ata_plan *plan)
{
	if ((command->lba & 0xffff00) != 0xc24f00)
		return ATA_ABRT;
	switch (command->features & 0xff) {
	case 0xd0: /* READ DATA */
	case 0xd1: /* READ THRESHOLDS */
	case 0xd5: /* READ LOG */
		plan->direction = ATA_IN;
		return 0;
	case 0xd6: /* WRITE LOG */
		plan->direction = ATA_OUT;
		return 0;
	case 0xd2:
	case 0xd4:
	case 0xd8:
	case 0xd9:
	case 0xda: /* RETURN STATUS: unchanged LBA means healthy */
		return 0;
	default:
		return ATA_ABRT;
	}
}

uint8_t ata_log_read(struct ata_disk *disk, const struct ata_command *command, uint8_t *data, uint32_t bytes)
{
	uint8_t log = (uint8_t)command->lba;
	uint16_t page = (uint16_t)((command->lba >> 8 & 0xff) | (command->lba >> 32 & 0xff) << 8);
	static const struct {
		uint8_t log, pages;
	} directory[] = {{0x03, 1}, {0x04, 8}, {0x06, 1}, {0x07, 1}, {0x10, 1}, {0x11, 1}, {0x12, 1},
		{0x13, 1}, {0x30, 9}, {0xe0, 1}};

	if (log == 0) {
		data[0] = 1; /* version, then the pages of each log */
		for (unsigned i = 0; i < sizeof(directory) / sizeof(directory[0]); i++)
			data[2 * directory[i].log] = directory[i].pages;
		return 0;
	}
	if (log == 0x10) {
		memcpy(data, disk->ncq_log, bytes < 512 ? bytes : 512);
		disk->ncq_error = false;
		return 0;
	}
	/* IDENTIFY DEVICE data log, page 1: a copy of IDENTIFY. */
	if (log == 0x30 && page == 1)
		memcpy(data, disk->identify, bytes < 512 ? bytes : 512);
	else
		memset(data, log ^ page, bytes);
	return 0;
}

void ata_disk_ncq_failed(
	struct ata_disk *disk, const struct ata_command *command, uint8_t status, uint8_t error)
{
	uint8_t *log = disk->ncq_log, sum = 0;

	memset(log, 0, 512);
	log[0] = (uint8_t)(command->count >> 3 & 31);
	log[2] = status;
	log[3] = error;
	for (int i = 0; i < 3; i++) {
		log[4 + i] = (uint8_t)(command->lba >> (8 * i));
		log[8 + i] = (uint8_t)(command->lba >> (24 + 8 * i));
	}
	log[7] = command->device;
	for (int i = 0; i < 511; i++)
		sum = (uint8_t)(sum + log[i]);
	log[511] = (uint8_t)-sum;
	disk->ncq_error = true;
}

static void text(uint16_t *words, unsigned count, const char *string)
{
	size_t length = strlen(string);

	for (unsigned i = 0; i < count; i++) {
		uint8_t high = 2 * i < length ? (uint8_t)string[2 * i] : ' ';
		uint8_t low = 2 * i + 1 < length ? (uint8_t)string[2 * i + 1] : ' ';

		words[i] = (uint16_t)(high << 8 | low);
	}
}

void ata_identify_fill(struct ata_disk *disk)
{
	uint16_t *word = disk->identify;
	uint64_t short_sectors = disk->sectors < 0x0fffffff ? disk->sectors : 0x0fffffff;
	uint8_t sum = 0xa5;

	word[0] = 0x0040;
	text(word + 10, 10, "MODEL-0001");
	text(word + 23, 4, "1.0");
	text(word + 27, 20, "UNDERSEAL MODEL DISK");
	word[47] = 0x8010;
	word[48] = 0x4001; /* trusted computing */
	word[49] = 0x0f00;
	word[53] = 6;
	word[59] = 0xf110; /* sanitize, its subcommands; 16 sectors a block */
	word[60] = (uint16_t)short_sectors;
	word[61] = (uint16_t)(short_sectors >> 16);
	word[63] = 0x0007;
	word[64] = 0x0003;
	word[69] = 0x4020; /* trimmed sectors read the same, and as zero */
	word[75] = 31;
	word[76] = 0xff0e; /* NCQ, gen 1-3, unload, PHY events, priority, host sleep, auto, log DMA */
	word[77] = 0x0076; /* streaming, queue management, send/receive */
	word[78] = 0x0004;
	word[80] = 0x03f0;
	word[82] = word[85] = 0x7469 | 0x0002; /* SMART, security, HPA, buffers ... */
	word[83] = word[86] = 0x7d61 | 0x0003; /* microcode, queues of old, 48-bit, FLUSH (EXT), SET MAX security */
	word[84] = word[87] = 0x41fb;	       /* SMART logs, GPL, FUA, queues of old with it, streaming */
	word[88] = 0x407f;
	for (int i = 0; i < 4; i++)
		word[100 + i] = (uint16_t)(disk->sectors >> (16 * i));
	word[105] = 8; /* blocks of one DSM command */
	word[106] = disk->lba_size == 512 ? 0x6003 : 0x5000;
	word[117] = disk->lba_size == 512 ? 0 : (uint16_t)(disk->lba_size / 2);
	word[119] = word[120] = 0x41fe; /* write uncorrectable, log DMA, microcode modes, sense */
	word[128] = 0x0021;		/* security supported */
	word[169] = 0x0001;		/* TRIM */
	word[206] = 0x003d;		/* SCT */
	word[217] = 0x0001;
	word[222] = 0x107f;
	word[255] = 0x00a5;
	for (int i = 0; i < 255; i++)
		sum = (uint8_t)(sum + word[i] + (word[i] >> 8));
	word[255] |= (uint16_t)((uint8_t)-sum << 8);
}
