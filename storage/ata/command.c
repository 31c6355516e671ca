/* SPDX-License-Identifier: Apache-2.0 */
/* A command as it comes from the guest: its registers taken together, checked whole, given to the drive. */
#include "storage/ata/internal.h"
#include "storage/crypt/wipe.h"

#define LOGGED_REFUSALS 64

void command_forget(struct ata *ata)
{
	if (ata->bus_master)
		bus_master_stop(ata);
	if (ata->flow != FLOW_NONE && ata->flow != FLOW_PASS) {
		secret_wipe(ata->piece, sizeof(ata->piece));
		/* A gathered block is the guest's plaintext. */
		if (ata->flow == FLOW_GATHER || ata->flow == FLOW_GATHERED)
			secret_wipe(ata->bounce, ata->block);
	}
	ata->flow = FLOW_NONE;
	ata->piece_full = false;
	ata->piece_at = 0;
}

static void take_registers(struct ata *ata, uint8_t opcode)
{
	ata->fis = (struct fis_h2d){
		.command = opcode,
		.device = ata->device,
		.feature = ata->latest[ATA_FEATURES],
		.feature_high = ata->before[ATA_FEATURES],
		.count = ata->latest[ATA_COUNT],
		.count_high = ata->before[ATA_COUNT],
		.lba0 = ata->latest[ATA_LBA_LOW],
		.lba1 = ata->latest[ATA_LBA_MID],
		.lba2 = ata->latest[ATA_LBA_HIGH],
		.lba3 = ata->before[ATA_LBA_LOW],
		.lba4 = ata->before[ATA_LBA_MID],
		.lba5 = ata->before[ATA_LBA_HIGH],
	};
}

/* The drive sets BSY within 400 ns: four reads take longer on every bus. */
static void settle_time(const struct ata *ata)
{
	for (int i = 0; i < 4; i++)
		device_in(ata, ATA_CONTROL);
}

/* 48-bit commands, and some without an address, read what was written first as well. */
void command_issue(struct ata *ata, const struct fis_h2d *fis)
{
	const struct {
		enum ata_port port;
		uint8_t before, latest;
	} values[] = {
		{ATA_FEATURES, fis->feature_high, fis->feature},
		{ATA_COUNT, fis->count_high, fis->count},
		{ATA_LBA_LOW, fis->lba3, fis->lba0},
		{ATA_LBA_MID, fis->lba4, fis->lba1},
		{ATA_LBA_HIGH, fis->lba5, fis->lba2},
	};

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!command_is_28_bit(fis->command))
			device_out(ata, values[i].port, values[i].before);
		device_out(ata, values[i].port, values[i].latest);
	}
	device_out(ata, ATA_DEVICE, fis->device);
	device_out(ata, ATA_COMMAND, fis->command);
	settle_time(ata);
}

void command_log_refusal(struct ata *ata, const char *why)
{
	if (ata->refused == LOGGED_REFUSALS)
		return;
	ata->refused++;
	if (map_of(ata))
		log_info("%s: drive %u: command %x at LBA %llx refused: %s", ata->name, ata->busy, ata->fis.command,
			(unsigned long long)ata->command.lba, why);
	else
		log_info("%s: drive %u: DMA refused: %s", ata->name, ata->busy, why);
}

void command_refuse(struct ata *ata, const char *why)
{
	struct fis_h2d fis = ata->fis;

	command_log_refusal(ata, why);
	command_forget(ata);
	command_make_refusal(&fis, false);
	command_issue(ata, &fis);
}

/* Why a command is refused; NULL when it is sound. */
static const char *examine(const struct ata *ata)
{
	const struct command *command = &ata->command;
	const struct disk_map *map = map_of(ata);

	if (command->class == COMMAND_REFUSE || command->protocol == BY_QUEUE)
		return "not a command for a protected disk";
	if (command->protocol == BY_DMA && !ata->bus_master)
		return "DMA without a bus master";
	if (command->class == COMMAND_WRITE && disk_map_touches(map, command->lba, command->count, SECTOR_GUARDED))
		return "a write to a header partition";
	if (command->class == COMMAND_WRITE && command->protocol == BY_PIO_MULTIPLE &&
		disk_map_pinned(map, command->lba, command->count) && !ata->drive[ata->busy].multiple)
		return "it touches the partition table, and the size of its blocks is not known";
	return NULL;
}

static void begin_pio(struct ata *ata)
{
	const struct command *command = &ata->command;

	if (command->class == COMMAND_WRITE && disk_map_pinned(map_of(ata), command->lba, command->count)) {
		gather_begin(ata);
		return;
	}
	ata->flow = command->class == COMMAND_WRITE ? FLOW_PIO_OUT : FLOW_PIO_IN;
	command_issue(ata, &ata->fis);
}

/* What needs no data of the medium. */
static void begin_plain(struct ata *ata)
{
	command_issue(ata, &ata->fis);
	if (ata->fis.command == COMMAND_SET_MULTIPLE) {
		ata->drive[ata->busy].multiple_set = true;
		ata->drive[ata->busy].multiple_asked = ata->fis.count;
	}
	if (ata->fis.command == COMMAND_DIAGNOSTIC)
		forget_settings(ata);
}

static void begin(struct ata *ata, struct cipher_scope *scope)
{
	const struct command *command = &ata->command;

	ata->moved = 0;
	ata->total = (uint64_t)command->count * map_of(ata)->lba_size;
	if (command->class == COMMAND_IDENTIFY)
		ata->total = PIECE_BYTES;
	else if (command->class == COMMAND_PASS)
		ata->total = UINT64_MAX; /* as long as the drive asks for it */
	switch (command->protocol) {
	case BY_PIO:
	case BY_PIO_MULTIPLE:
		begin_pio(ata);
		break;
	case BY_DMA:
		ata->flow = FLOW_DMA_HELD;
		/* The other way round than the specification has it, but some do. */
		if (ata->guest_bus_master & BM_START)
			dma_begin(ata, scope);
		break;
	case NO_DATA:
	case BY_QUEUE:
		begin_plain(ata);
		break;
	}
}

static bool agrees(const struct ata *ata)
{
	return !((device_in(ata, ATA_DEVICE) ^ ata->device) & DEVICE_DEV);
}

/*
 * What Device reads as is not always who is selected: after a reset some controllers
 * show drive 0 while drive 1 still answers. So it is written before a command that is
 * not checked; with one that is, command_issue() does so. False: the drives do not
 * take it, or the one that is selected now is busy. On an empty channel nobody answers.
 */
static bool select_drive(struct ata *ata)
{
	uint8_t status;

	if (ata->drive[selected(ata)].map && agrees(ata))
		return true;
	device_out(ata, ATA_DEVICE, ata->device);
	settle_time(ata);
	status = device_in(ata, ATA_CONTROL);
	return agrees(ata) && (is_nobody(status) || !(status & (STATUS_BSY | STATUS_DRQ)));
}

/* To a drive of the guest's own. */
static void pass_command(struct ata *ata, uint8_t opcode)
{
	ata->flow = FLOW_PASS;
	device_out(ata, ATA_COMMAND, opcode);
	settle_time(ata);
	if (opcode == COMMAND_DIAGNOSTIC)
		forget_settings(ata);
}

void command_write(struct ata *ata, uint8_t opcode, struct cipher_scope *scope)
{
	/* DEVICE RESET is for packet drives that hang: the one command that a busy drive takes. */
	bool reset = opcode == COMMAND_DEVICE_RESET && !ata->drive[selected(ata)].map;
	const char *why;
	bool idle;

	if (ata->dead)
		return;
	idle = is_idle(ata, scope);
	if (idle ? !select_drive(ata) : !reset)
		return;
	command_forget(ata);
	ata->busy = selected(ata);
	ata->drive[ata->busy].multiple_set = false;
	if (!map_of(ata)) {
		pass_command(ata, opcode);
		return;
	}
	take_registers(ata, opcode);
	ata->command = command_decode(&ata->fis);
	why = examine(ata);
	if (why)
		command_refuse(ata, why);
	else
		begin(ata, scope);
}
