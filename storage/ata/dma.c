/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DMA. The drive is given its command when the guest starts the bus master: only
 * then are the PRD table and, for a write, the data sure to be there, and whatever
 * is wrong with them can still become an abort of the drive's. The bus master is
 * never started without a command.
 */
#include "storage/ata/internal.h"
#include "storage/ata_commands/trim.h"
#include "storage/crypt/wipe.h"

#define FLUSH_READS 1000u

void bus_master_stop(struct ata *ata)
{
	uint8_t command = device_in(ata, ATA_BM_COMMAND);

	if (command & BM_START)
		device_out(ata, ATA_BM_COMMAND, command & ~BM_START);
}

static void bus_master_start(struct ata *ata, uint8_t direction)
{
	/* The table, and what it names, are written before the device is told. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	device_out(ata, ATA_BM_COMMAND, direction);
	device_out(ata, ATA_BM_COMMAND, direction | BM_START);
}

static void give_table(const struct ata *ata)
{
	device_out(ata, ATA_BM_PRD, (uint32_t)ata->env->bus_address(ata->env->context, ata->table));
}

/* Through bounce memory: ciphertext, and what is looked at before it is written. */
static const char *prepare_write(struct ata *ata, struct cipher_scope *scope)
{
	const struct disk_map *map = map_of(ata);
	const struct command *command = &ata->command;
	uint32_t bytes = (uint32_t)ata->total;

	if (!disk_map_touches(map, command->lba, command->count, SECTOR_CIPHERTEXT) &&
		!disk_map_pinned(map, command->lba, command->count))
		return NULL;
	if (ata->total > ata->bounce_bytes)
		return "a write that is longer than bounce memory";
	prd_copy_from(ata, ata->bounce, bytes);
	/* Pins lie in clear sectors. */
	if (!disk_map_keeps_pins(map, command->lba, command->count, ata->bounce)) {
		secret_wipe(ata->bounce, bytes);
		return "it changes the partition table where a protected partition stands";
	}
	transform_memory(map, command->lba * map->lba_size, ata->bounce, bytes, true, scope);
	prd_of_bounce(ata, bytes);
	return NULL;
}

/* Of a command that does not move sectors. */
static uint32_t blocks_of(const struct ata *ata)
{
	return ata->fis.count | (uint32_t)ata->fis.count_high << 8;
}

static const char *prepare_trim(struct ata *ata, uint64_t given)
{
	uint32_t blocks = blocks_of(ata);

	if (!blocks || blocks > TRIM_MAX_BLOCKS || given < blocks * 512)
		return "a TRIM without its ranges, or with too many";
	prd_copy_from(ata, ata->bounce, blocks * 512);
	if (trim_cut(map_of(ata), (uint64_t *)ata->bounce, blocks * TRIM_RANGES_PER_BLOCK))
		return "a TRIM of a header partition or the partition table";
	prd_of_bounce(ata, blocks * 512);
	return NULL;
}

static const char *prepare(struct ata *ata, struct cipher_scope *scope)
{
	uint64_t given;
	const char *why = prd_load(ata, &given);

	if (why)
		return why;
	if (ata->command.class == COMMAND_TRIM)
		return prepare_trim(ata, given);
	if (ata->command.class == COMMAND_PASS)
		ata->total = (blocks_of(ata) ? blocks_of(ata) : UINT16_MAX + 1) * 512ull;
	if (given < ata->total)
		return "a PRD table shorter than the transfer";
	return ata->command.class == COMMAND_WRITE ? prepare_write(ata, scope) : NULL;
}

/* False: the command was refused. */
static bool give_command(struct ata *ata, struct cipher_scope *scope)
{
	const char *why = prepare(ata, scope);

	if (why) {
		command_refuse(ata, why);
		return false;
	}
	give_table(ata);
	command_issue(ata, &ata->fis);
	ata->flow = FLOW_DMA;
	return true;
}

static uint8_t direction_of(const struct ata *ata)
{
	return ata->command.class == COMMAND_WRITE || ata->command.class == COMMAND_TRIM ? 0 : BM_TO_MEMORY;
}

void dma_begin(struct ata *ata, struct cipher_scope *scope)
{
	if (give_command(ata, scope))
		bus_master_start(ata, direction_of(ata));
}

/*
 * The interrupt bit says that everything is in memory. Without interrupts nothing
 * says so, but a read of a register of the controller does not overtake its data.
 */
static void wait_for_data(const struct ata *ata)
{
	for (uint32_t i = 0; i < FLUSH_READS; i++) {
		uint8_t status = device_in(ata, ATA_BM_STATUS);

		if (status & (BM_STATUS_INTR | BM_STATUS_ERROR) || !(status & BM_STATUS_ACTIVE))
			return;
	}
}

/*
 * A drive that meets a bad sector has transferred those before it, names it (ACS-3,
 * 6.2), and systems take what lies before it for read. Where nothing was transferred,
 * what is in the buffers means nothing, before and after.
 */
void dma_end(struct ata *ata, struct cipher_scope *scope)
{
	const struct command *command = &ata->command;

	ata->flow = FLOW_NONE;
	if (command->class != COMMAND_READ)
		return;
	wait_for_data(ata);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	prd_decrypt(ata, command->lba * map_of(ata)->lba_size, ata->total, scope);
}

/* A drive of the guest's own: any command of it may be one with DMA. */
static void pass_start(struct ata *ata, uint8_t direction)
{
	uint64_t bytes;
	const char *why = prd_load(ata, &bytes);

	if (why) {
		command_log_refusal(ata, why);
		return;
	}
	give_table(ata);
	bus_master_start(ata, direction);
}

void bus_master_write(struct ata *ata, uint8_t value, struct cipher_scope *scope)
{
	bool starts = value & ~ata->guest_bus_master & BM_START;

	if (ata->dead)
		return;
	ata->guest_bus_master = value & (BM_START | BM_TO_MEMORY);
	if (!(value & BM_START))
		bus_master_stop(ata);
	else if (starts && ata->flow == FLOW_DMA_HELD)
		dma_begin(ata, scope);
	else if (starts && ata->flow == FLOW_PASS)
		pass_start(ata, value & BM_TO_MEMORY);
}
