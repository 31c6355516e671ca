/* SPDX-License-Identifier: Apache-2.0 */
/* The arena's layout, and the take-over of an HBA that the firmware has used. */
#include "storage/ahci/internal.h"

#define TABLES_BYTES   (COMMAND_SLOTS * sizeof(struct command_table))
#define PORT_BYTES     (PAGE_BYTES /* list and FIS */ + PAGE_BYTES /* junk */ + TABLES_BYTES)
#define STATE_BYTES    ((sizeof(struct ahci) + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1))
#define COPY_BYTES     (2 * PAGE_BYTES)
#define LEAST_BOUNCE   (1u << 20)
#define FIS_IN_PAGE    2048 /* list and FIS share a page: 1 KiB and 256 bytes, aligned as AHCI wants */

size_t ahci_arena_bytes(unsigned protected_ports)
{
	return STATE_BYTES + COPY_BYTES + protected_ports * PORT_BYTES + LEAST_BOUNCE + PAGE_BYTES;
}

struct arena {
	uint8_t *at;
	size_t left;
};

static void *take(struct arena *arena, size_t bytes)
{
	uint8_t *memory = arena->at;

	if (bytes > arena->left)
		return NULL;
	arena->at += bytes;
	arena->left -= bytes;
	return memset(memory, 0, bytes);
}

static bool make_port(struct port *port, struct arena *arena, const struct disk_map *map)
{
	uint8_t *page = take(arena, PAGE_BYTES);

	port->junk = take(arena, PAGE_BYTES);
	port->table = take(arena, TABLES_BYTES);
	if (!page || !port->junk || !port->table)
		return false;
	port->list = (struct command_header *)page;
	port->fis = page + FIS_IN_PAGE;
	port->map = map;
	return true;
}

/* The rest of the arena is bounce memory, less the bits that say which page is used. */
static bool make_pool(struct pool *pool, struct arena *arena)
{
	pool->used = take(arena, PAGE_BYTES);
	pool->pages = (uint32_t)(arena->left / PAGE_BYTES);
	if (pool->pages > PAGE_BYTES * 8)
		pool->pages = PAGE_BYTES * 8;
	pool->base = take(arena, (size_t)pool->pages * PAGE_BYTES);
	return pool->used && pool->pages >= LEAST_BOUNCE / PAGE_BYTES;
}

/* What the guest reads of addresses until it writes them: what the firmware left. */
static void remember_addresses(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];

	port->guest_clb = device_read(ahci, port_offset(number, PORT_CLB)) |
			  (uint64_t)device_read(ahci, port_offset(number, PORT_CLBU)) << 32;
	port->guest_fb = device_read(ahci, port_offset(number, PORT_FB)) |
			 (uint64_t)device_read(ahci, port_offset(number, PORT_FBU)) << 32;
}

static bool take_ports(struct ahci *ahci)
{
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		ahci->port[i].number = i;
		if (!ahci->port[i].implemented)
			continue;
		remember_addresses(ahci, i);
		copy_mark_stale(ahci, i);
		if (!ahci->port[i].map)
			continue;
		if (!port_stop(ahci, i)) {
			log_error("ahci: port %u does not stop; its disk cannot be taken over", i);
			return false;
		}
		port_program(ahci, i);
	}
	return true;
}

static void fill_generic_copy(struct ahci *ahci)
{
	for (uint32_t offset = 0; offset < HBA_PORTS; offset += 4)
		ahci->copy[offset / 4] = offset == HBA_CAP ? ahci->cap : device_read(ahci, offset);
}

struct ahci *ahci_init(const struct ahci_config *config)
{
	struct arena arena = {config->arena, config->arena_bytes};
	struct ahci *ahci = take(&arena, STATE_BYTES);

	if (!ahci)
		return NULL;
	ahci->env = config->env;
	ahci->implemented = device_read(ahci, HBA_PI);
	ahci->cap = device_read(ahci, HBA_CAP) & ~(CAP_FBSS | CAP_SPM);
	ahci->copy = take(&arena, COPY_BYTES);
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		ahci->port[i].implemented = ahci->implemented >> i & 1;
		if (config->disk[i] && (!ahci->port[i].implemented || !make_port(&ahci->port[i], &arena, config->disk[i]))) {
			log_error("ahci: port %u is not there, or too little memory", i);
			return NULL;
		}
	}
	if (!ahci->copy || !make_pool(&ahci->pool, &arena)) {
		log_error("ahci: too little memory for bounce buffers");
		return NULL;
	}
	if (!take_ports(ahci))
		return NULL;
	ahci->ghc = device_read(ahci, HBA_GHC);
	fill_generic_copy(ahci);
	return ahci;
}
