/* SPDX-License-Identifier: Apache-2.0 */
/* The channel as a whole: start, accesses of every width, stop. */
#include "storage/ata/ata.h"
#include "storage/ata/internal.h"
#include "storage/crypt/wipe.h"

#define PAGE        4096u
#define STATE_BYTES ((sizeof(struct ata) + PAGE - 1) & ~(size_t)(PAGE - 1))
#define BELOW_4G    (1ull << 32)

size_t ata_arena_bytes(uint32_t longest_write)
{
	/* The table, where it does not cross 64 KiB. */
	return STATE_BYTES + 2 * PRD_BOUNDARY + longest_write;
}

static bool divide_arena(struct ata *ata, const struct ata_config *config)
{
	uint8_t *memory = config->arena;
	uint64_t address = ata->env->bus_address(ata->env->context, memory);
	size_t table = STATE_BYTES;

	table += (PRD_BOUNDARY - (address + table) % PRD_BOUNDARY) % PRD_BOUNDARY;
	if (address + config->arena_bytes > BELOW_4G) {
		log_error("%s: a bus master does not reach memory at %llx", ata->name, (unsigned long long)address);
		return false;
	}
	ata->table = (struct prd *)(memory + table);
	ata->bounce = memory + table + PRD_BOUNDARY;
	ata->bounce_bytes = (uint32_t)(config->arena_bytes - table - PRD_BOUNDARY);
	return true;
}

struct ata *ata_init(const struct ata_config *config)
{
	struct ata *ata = config->arena;
	uint8_t status;

	if (config->arena_bytes < ata_arena_bytes(ATA_LEAST_WRITE)) {
		log_error("%s: too little memory", config->name);
		return NULL;
	}
	memset(ata, 0, STATE_BYTES);
	ata->env = config->env;
	ata->name = config->name;
	ata->bus_master = config->bus_master;
	for (unsigned i = 0; i < ATA_DRIVES; i++)
		ata->drive[i].map = config->disk[i];
	if (!divide_arena(ata, config))
		return NULL;
	if (ata->bus_master) {
		bus_master_stop(ata);
		ata->guest_prd = ata->env->in(ata->env->context, ATA_BM_PRD);
	}
	if (!wait_while(ata, STATUS_BSY, &status)) {
		log_error("%s: the drive stays busy; it cannot be taken over", ata->name);
		return NULL;
	}
	/* Written, for it may read as another drive's than the one that answers. */
	ata->device = device_in(ata, ATA_DEVICE);
	device_out(ata, ATA_DEVICE, ata->device);
	return ata;
}

static uint8_t read_byte(struct ata *ata, uint32_t port, struct cipher_scope *scope)
{
	uint8_t value;

	switch (port) {
	case ATA_COMMAND:
	case ATA_CONTROL:
		return status_read(ata, port, scope);
	case ATA_BM_COMMAND:
		return ata->guest_bus_master;
	case ATA_BM_STATUS:
		/* The register first: what its interrupt bit implies has been carried out when the guest sees it. */
		value = device_in(ata, port);
		if (ata->flow == FLOW_DMA)
			status_read(ata, ATA_CONTROL, scope);
		return value;
	}
	if (port >= ATA_BM_PRD)
		return (uint8_t)(ata->guest_prd >> 8 * (port - ATA_BM_PRD));
	return device_in(ata, port);
}

static void write_byte(struct ata *ata, uint32_t port, uint8_t value, struct cipher_scope *scope)
{
	uint32_t shift = 8 * (port - ATA_BM_PRD);

	switch (port) {
	case ATA_COMMAND:
		command_write(ata, value, scope);
		return;
	case ATA_CONTROL:
		control_write(ata, value);
		return;
	case ATA_BM_COMMAND:
		bus_master_write(ata, value, scope);
		return;
	case ATA_BM_STATUS:
		device_out(ata, port, value);
		return;
	}
	if (port >= ATA_BM_PRD)
		ata->guest_prd = (ata->guest_prd & ~(0xffu << shift)) | (uint32_t)value << shift;
	else if (port < ATA_COMMAND)
		register_write(ata, port, value, scope);
}

/* Registers of a byte; others read as ones. */
static bool is_there(const struct ata *ata, uint32_t port)
{
	if (ata->detached)
		return false;
	return (port > ATA_DATA && port <= ATA_CONTROL) || (ata->bus_master && port >= ATA_BUS_MASTER && port < ATA_PORTS_END);
}

uint32_t ata_read(struct ata *ata, uint32_t port, unsigned size)
{
	struct cipher_scope scope = {.saved = false};
	uint32_t value = 0;

	port_lock(&ata->lock);
	if (port == ATA_DATA) {
			pio_in(ata, (uint8_t *)&value, size == 4 ? 4 : 2, &scope);
		value = size == 1 ? value & 0xff : value;
	} else {
		for (unsigned i = 0; i < size; i++)
			value |= (uint32_t)(is_there(ata, port + i) ? read_byte(ata, port + i, &scope) : 0xff) << 8 * i;
	}
	cipher_end(&scope);
	port_unlock(&ata->lock);
	return value;
}

void ata_write(struct ata *ata, uint32_t port, unsigned size, uint32_t value)
{
	struct cipher_scope scope = {.saved = false};

	port_lock(&ata->lock);
	if (port == ATA_DATA) {
			value = size == 1 ? value & 0xff : value;
		pio_out(ata, (const uint8_t *)&value, size == 4 ? 4 : 2, &scope);
	} else {
		for (unsigned i = 0; i < size; i++)
			if (is_there(ata, port + i))
				write_byte(ata, port + i, (uint8_t)(value >> 8 * i), &scope);
	}
	cipher_end(&scope);
	port_unlock(&ata->lock);
}

void ata_data_in(struct ata *ata, void *to, uint32_t bytes)
{
	struct cipher_scope scope = {.saved = false};

	port_lock(&ata->lock);
	pio_in(ata, to, bytes, &scope);
	cipher_end(&scope);
	port_unlock(&ata->lock);
}

void ata_data_out(struct ata *ata, const void *from, uint32_t bytes)
{
	struct cipher_scope scope = {.saved = false};

	port_lock(&ata->lock);
	pio_out(ata, from, bytes, &scope);
	cipher_end(&scope);
	port_unlock(&ata->lock);
}

void ata_hold(struct ata *ata)
{
	port_lock(&ata->lock);
}

void ata_release(struct ata *ata)
{
	port_unlock(&ata->lock);
}

void ata_detach(struct ata *ata)
{
	if (ata->detached)
		return;
	command_forget(ata);
	ata->detached = true;
}

void ata_attach(struct ata *ata)
{
	ata->detached = false;
}

void ata_quiesce(struct ata *ata)
{
	uint8_t status;

	port_lock(&ata->lock);
	/* A write that the drive has begun is let end: its sectors stay whole. Without the bus master it does not. */
	if (!ata->dead && ata->flow == FLOW_DMA && device_in(ata, ATA_BM_COMMAND) & BM_START &&
		!wait_while(ata, STATUS_BSY | STATUS_DRQ, &status))
		log_warning("%s: drive %u does not end its command", ata->name, ata->busy);
	if (!ata->dead && !ata->detached)
		command_forget(ata);
	ata->dead = true;
	secret_wipe(ata->bounce, ata->bounce_bytes);
	port_unlock(&ata->lock);
}
