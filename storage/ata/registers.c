/* SPDX-License-Identifier: Apache-2.0 */
/* The registers that name a command, Status and Device Control. */
#include "storage/ata/internal.h"

#define WAIT_READS 2000000u /* a microsecond or so each */

bool is_nobody(uint8_t status)
{
	return status == STATUS_NOBODY || status == STATUS_NOBODY_IDLE;
}

bool wait_while(const struct ata *ata, uint8_t bits, uint8_t *status)
{
	for (uint32_t i = 0; i < WAIT_READS; i++) {
		*status = device_in(ata, ATA_CONTROL);
		if (is_nobody(*status) || !(*status & bits))
			return true;
	}
	return false;
}

/*
 * What is shown while the drive is not to be asked: a sector that the guest has
 * not read to its end, though the drive may be with the next or have ended; a block
 * the guest is asked for; a command the drive has not been given. 0: the drive's.
 */
static uint8_t shown(const struct ata *ata)
{
	if (ata->piece_full || ata->flow == FLOW_GATHER)
		return STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
	return ata->flow == FLOW_DMA_HELD ? STATUS_BSY | STATUS_DRDY | STATUS_DSC : 0;
}

/* SET MULTIPLE MODE has ended. */
static void settle_multiple(struct drive *drive, uint8_t status)
{
	if (!(status & STATUS_ERR))
		drive->multiple = drive->multiple_asked;
	drive->multiple_set = false;
}

/* The drive is not busy: what that says of the command in flight. */
static void settle(struct ata *ata, uint8_t status, struct cipher_scope *scope)
{
	struct drive *drive = &ata->drive[ata->busy];
	bool failed = status & (STATUS_ERR | STATUS_DF);

	if (drive->multiple_set)
		settle_multiple(drive, status);
	if (status & STATUS_DRQ)
		return;
	if (ata->flow == FLOW_DMA)
		dma_end(ata, scope);
	else if (ata->flow == FLOW_GATHERED && (failed || ata->moved == ata->total))
		command_forget(ata);
	else if (ata->flow == FLOW_GATHERED)
		gather_begin(ata);
}

uint8_t status_read(struct ata *ata, enum ata_port port, struct cipher_scope *scope)
{
	uint8_t status = shown(ata);

	/* The drive's interrupt is for what is shown only where the guest is asked for a block. */
	if (status && ata->flow != FLOW_GATHER)
		return status;
	status = device_in(ata, port);
	if (!(status & STATUS_BSY) && ata->flow != FLOW_GATHER)
		settle(ata, status, scope);
	return shown(ata) ? shown(ata) : status;
}

bool is_idle(struct ata *ata, struct cipher_scope *scope)
{
	uint8_t status = status_read(ata, ATA_CONTROL, scope);

	return is_nobody(status) || !(status & (STATUS_BSY | STATUS_DRQ));
}

/* A drive that is busy ignores its registers, or makes of them what it likes: it is not given any then. */
void register_write(struct ata *ata, enum ata_port port, uint8_t value, struct cipher_scope *scope)
{
	if (!is_idle(ata, scope))
		return;
	if (port == ATA_DEVICE) {
		ata->device = value;
	} else {
		ata->before[port] = ata->latest[port];
		ata->latest[port] = value;
	}
	device_out(ata, port, value);
}

void forget_settings(struct ata *ata)
{
	for (unsigned i = 0; i < ATA_DRIVES; i++) {
		ata->drive[i].multiple = 0;
		ata->drive[i].multiple_set = false;
	}
	memset(ata->latest, 0, sizeof(ata->latest));
	memset(ata->before, 0, sizeof(ata->before));
	ata->device = 0;
}

void control_write(struct ata *ata, uint8_t value)
{
	if (value & CONTROL_SRST) {
		command_forget(ata);
		forget_settings(ata);
	}
	device_out(ata, ATA_CONTROL, value);
}
