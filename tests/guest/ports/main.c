/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile system does to IDE disks by ports: two protected ones, drive 0 of the
 * primary channel and drive 1 of the secondary, beside whose drive 0 is the guest's own.
 * It prints how each attempt ended; what stands on the media is looked at afterwards.
 * Nothing but what is meant to reach a volume contains the marker.
 */
#include "tests/guest/ports/channel.h"
#include "tests/guest/lib/paging.h"

#define LONGEST 8192u /* sectors of one command: 4 MiB */
#define SPARE   0xd000u /* ports that nobody has */

static const char marker[16] = "PORTS-PLAINTEXT-";
static struct channel channel[2];
static uint64_t first; /* sector of the volumes, which begin at the same on both disks */
static uint8_t *buffer;

static void fill(uint32_t sectors)
{
	for (uint32_t at = 0; at < sectors * SECTOR; at += sizeof(marker))
		memcpy(buffer + at, marker, sizeof(marker));
}

static void tell(const char *name, uint8_t status)
{
	print("%s = %s\n", name, status == 0xff ? "no answer" : status & STATUS_ERR ? "refused" : "done");
}

static bool holds_marker(uint32_t sectors)
{
	for (uint32_t at = 0; at < sectors * SECTOR; at += sizeof(marker))
		if (memcmp(buffer + at, marker, sizeof(marker)))
			return false;
	return true;
}

/* The longest write by DMA, and what is read of it by PIO. */
static void long_write(void)
{
	fill(LONGEST);
	tell("write of 4 MiB", dma(&channel[0], WRITE_DMA_EXT, first, LONGEST, (uint32_t)(uint64_t)buffer));
	memset(buffer, 0, LONGEST * SECTOR);
	tell("read by PIO", pio(&channel[0], READ_SECTORS, first + 3000, 16, buffer, 1));
	print("its data = %s\n", holds_marker(16) ? "right" : "wrong");
	tell("read of 4 MiB", dma(&channel[0], READ_DMA_EXT, first, LONGEST, (uint32_t)(uint64_t)buffer));
	print("its data too = %s\n", holds_marker(LONGEST) ? "right" : "wrong");
}

/* A write that is begun and given data, whatever the ports answer. */
static void force_write(const struct channel *c, uint64_t lba, bool select)
{
	fill(1);
	load(c, lba, 1, select);
	out(c, COMMAND, WRITE_SECTORS);
	wait_us(20000);
	words_out(c, buffer, SECTOR / 2);
	wait_us(20000);
}

static void undecoded(void)
{
	decode_ports(false);
	force_write(&channel[0], first + 9000, true);
	print("status undecoded = %x\n", in(&channel[0], COMMAND));
	decode_ports(true);
	soft_reset(&channel[0]);
	tell("read after it", pio(&channel[0], READ_SECTORS, first, 1, buffer, 1));
}

/* After a reset Device shows drive 0 of the second channel, which is the guest's own: drive 1 must not get its command. */
static void other_drive(void)
{
	struct channel *second = &channel[1];

	second->drive = 1;
	tell("read of the second disk", pio(second, READ_SECTORS, first, 1, buffer, 1));
	soft_reset(second);
	print("device after a reset = %x\n", in(second, DEVICE) & DEVICE_DEV);
	force_write(second, first + 9000, false);
	soft_reset(second);
	tell("read of it after that", pio(second, READ_SECTORS, first, 1, buffer, 1));
}

/* The engine is told of memory that is not the guest's. */
static void foreign_memory(void)
{
	uint64_t base, bytes;

	if (!beneath())
		return;
	own_memory(&base, &bytes);
	tell("read into foreign memory", dma(&channel[0], READ_DMA_EXT, first, 8, (uint32_t)base));
	tell("write from foreign memory", dma(&channel[0], WRITE_DMA_EXT, first + 9100, 8, (uint32_t)(base + bytes - 65536)));
	tell("read after those", dma(&channel[0], READ_DMA_EXT, first, 8, (uint32_t)(uint64_t)buffer));
}

/* The sector of the partition table that names the volume, by PIO, alone and in blocks; unchanged it may be written. */
static void table(uint32_t sector, uint32_t offset)
{
	for (unsigned block = 1; block <= 8; block *= 8) {
		uint8_t opcode = block == 1 ? WRITE_SECTORS : WRITE_MULTIPLE;

		if (block > 1)
			tell("blocks of 8", plain(&channel[0], 0xc6, block));
		pio(&channel[0], READ_SECTORS, sector, 8, buffer, 1);
		tell("table as it is", pio(&channel[0], opcode, sector, 8, buffer, block));
		buffer[offset] ^= 1;
		tell("table changed", pio(&channel[0], opcode, sector, 8, buffer, block));
	}
}

static void reset_in_write(void)
{
	load(&channel[0], first + 9200, 8, true);
	out(&channel[0], COMMAND, WRITE_SECTORS);
	fill(8);
	for (unsigned i = 0; i < 3; i++) {
		settle(&channel[0], true);
		words_out(&channel[0], buffer, SECTOR / 2);
	}
	settle(&channel[0], true);
	words_out(&channel[0], buffer, 100);
	soft_reset(&channel[0]);
	tell("read after a reset in a write", pio(&channel[0], READ_SECTORS, first + 9200, 3, buffer, 1));
	print("what was written = %s\n", holds_marker(3) ? "right" : "wrong");
}

static void moved(void)
{
	uint16_t base = channel[0].bus_master;

	bus_master_move(channel, SPARE);
	tell("read by a bus master moved", dma(&channel[0], READ_DMA_EXT, first, 8, (uint32_t)(uint64_t)buffer));
	print("its data there = %s\n", holds_marker(8) ? "right" : "wrong");
	bus_master_move(channel, base);
	tell("read when it is back", dma(&channel[0], READ_DMA_EXT, first, 8, (uint32_t)(uint64_t)buffer));
}

void guest_main(void)
{
	print("beneath = %u\n", beneath());
	first = option_number("first", 0);
	buffer = take_memory(LONGEST * SECTOR, 65536);
	channels_find(channel);
	long_write();
	undecoded();
	other_drive();
	foreign_memory();
	table((uint32_t)option_number("table_sector", 0), (uint32_t)option_number("table_offset", 0));
	reset_in_write();
	moved();
	guest_end(true);
}
