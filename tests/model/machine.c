/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/machine.h"
#include <stdlib.h>
#include <string.h>

#define PROTECTED_PORTS	 2
#define IMPLEMENTED	 0x0fu
#define FIRST_ALLOCATION (1ull << 20)

static uint32_t reg_read(void *context, uint32_t offset)
{
	return hba_read(&((struct machine *)context)->hba, offset);
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	hba_write(&((struct machine *)context)->hba, offset, value);
}

static void *guest_ram(void *context, uint64_t gpa, uint64_t bytes)
{
	return bus_guest(&((struct machine *)context)->bus, gpa, bytes);
}

static uint64_t bus_address(void *context, const void *memory)
{
	return bus_address_of(&((struct machine *)context)->bus, memory);
}

static void copy_arm(void *context)
{
	struct machine *m = context;

	if (m->arming)
		m->arming(m);
	m->armed[m->cpu] = true;
}

static void copy_disarm(void *context, bool all_cpus)
{
	struct machine *m = context;

	for (unsigned i = 0; i < MACHINE_CPUS; i++)
		if (all_cpus || i == m->cpu)
			m->armed[i] = false;
}

uint64_t machine_a_first(const struct machine *m)
{
	(void)m;
	return 64;
}

uint64_t machine_a_last(const struct machine *m)
{
	return m->disk[0].sectors / 2 - 1;
}

uint64_t machine_guarded_first(const struct machine *m)
{
	return machine_a_last(m) + 1;
}

uint64_t machine_b_first(const struct machine *m)
{
	return machine_guarded_first(m) + 128;
}

uint64_t machine_b_last(const struct machine *m)
{
	return m->disk[0].sectors - 65;
}

static int add_ranges(struct machine *m, unsigned port, uint32_t cipher_a)
{
	struct disk_range a = {
		machine_a_first(m), machine_a_last(m), SECTOR_CIPHERTEXT, cipher_a, 0, &m->key[port]};
	struct disk_range guarded = {
		machine_guarded_first(m), machine_guarded_first(m) + 63, SECTOR_GUARDED, 0, 0, NULL};
	struct disk_range b = {machine_b_first(m), machine_b_last(m), SECTOR_CIPHERTEXT,
		m->disk[port].lba_size, 0x123456789ull, &m->key[port ^ 1]};

	m->map[port].lba_size = m->disk[port].lba_size;
	return disk_map_add(&m->map[port], &b) | disk_map_add(&m->map[port], &a) |
	       disk_map_add(&m->map[port], &guarded);
}

static void make_key(struct xts_key *key, unsigned number)
{
	uint8_t raw[64];

	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 7 + number * 13 + 1);
	xts_key_init(key, raw, sizeof(raw));
}

void machine_pattern(const struct machine *m, unsigned port, uint64_t lba, uint8_t *out)
{
	for (uint32_t at = 0; at < m->disk[port].lba_size; at += 8) {
		uint64_t word = (lba << 16 | at) * 0x9e3779b97f4a7c15ull + port;

		memcpy(out + at, &word, 8);
	}
}

static void fill_disk(struct machine *m, unsigned port)
{
	struct ata_disk *disk = &m->disk[port];
	uint64_t lba = 0;

	for (uint64_t i = 0; i < disk->sectors; i++)
		machine_pattern(m, port, i, disk->medium + i * disk->lba_size);
	while (m->map[port].count && lba < disk->sectors) {
		struct disk_run run = disk_map_run(&m->map[port], lba, disk->sectors - lba);
		uint8_t *at = disk->medium + lba * disk->lba_size;

		if (run.range && run.range->kind == SECTOR_CIPHERTEXT)
			xts_encrypt(run.range->key, disk_range_tweak(&m->map[port], run.range, lba),
				run.range->sector_size, at, at, run.count * disk->lba_size);
		lba += run.count;
	}
}

/* Sector by sector: shares no thought with the mediator about runs. */
void machine_plain(const struct machine *m, unsigned port, uint64_t lba, uint64_t count, uint8_t *out)
{
	const struct ata_disk *disk = &m->disk[port];

	for (uint64_t i = 0; i < count; i++) {
		uint64_t sector = lba + i;
		struct disk_run run = disk_map_run(&m->map[port], sector, 1);
		uint32_t unit =
			run.range && run.range->sector_size ? run.range->sector_size / disk->lba_size : 1;
		uint64_t first = run.range ? sector - (sector - run.range->first_lba) % unit : sector;
		uint8_t buffer[4096];

		memcpy(buffer, disk->medium + first * disk->lba_size, unit * disk->lba_size);
		if (run.range && run.range->kind == SECTOR_CIPHERTEXT)
			xts_decrypt(run.range->key,
				run.range->iv_offset +
					(first - run.range->first_lba) * (disk->lba_size / 512),
				run.range->sector_size, buffer, buffer, run.range->sector_size);
		memcpy(out + i * disk->lba_size, buffer + (sector - first) * disk->lba_size, disk->lba_size);
	}
}

void machine_take_over(struct machine *m, const struct machine_options *options)
{
	struct ahci_config config = {
		.env = &m->env,
		.arena = m->bus.arena,
		.arena_bytes = m->bus.arena_bytes,
		.disk = {[0] = &m->map[0], [3] = options->one_port ? NULL : &m->map[3]},
	};
	bool never = options->never_armed;

	m->env = (struct ahci_env){m, reg_read, reg_write, guest_ram, bus_address, never ? NULL : copy_arm,
		never ? NULL : copy_disarm};
	m->ahci = ahci_init(&config);
}

void machine_init(struct machine *m, const struct machine_options *options)
{
	uint32_t lba_size = options->lba_size ? options->lba_size : 512;
	size_t arena =
		options->arena_bytes ? options->arena_bytes : ahci_arena_bytes(PROTECTED_PORTS) + (4u << 20);

	memset(m, 0, sizeof(*m));
	bus_init(&m->bus, options->ram_bytes ? options->ram_bytes : 32ull << 20, arena);
	hba_init(&m->hba, &m->bus, IMPLEMENTED, options->slots ? options->slots : 32);
	m->allocated = FIRST_ALLOCATION;
	for (unsigned i = 0; i < 4; i++) {
		make_key(&m->key[i], i);
		if (i == 2 || (i && options->one_port))
			continue;
		ata_disk_init(&m->disk[i], lba_size, options->sectors ? options->sectors : 4096);
		hba_connect(&m->hba, i, &m->disk[i]);
	}
	for (unsigned i = 0; i < 4; i += 3)
		if (m->disk[i].medium && add_ranges(m, i, options->cipher_a ? options->cipher_a : lba_size))
			abort();
	for (unsigned i = 0; i < MODEL_PORTS; i++) /* the guest drives the others itself */
		m->hba.port[i].strict = i < 4 && m->map[i].count;
	for (unsigned i = 0; i < 4; i++)
		if (m->disk[i].medium)
			fill_disk(m, i);
	if (options->stuck) {
		m->hba.port[0].cmd |= PXCMD_ST | PXCMD_FRE | PXCMD_CR | PXCMD_FR;
		m->hba.stuck = true;
	}
	machine_take_over(m, options);
}

void machine_free(struct machine *m)
{
	for (unsigned i = 0; i < 4; i++)
		if (m->disk[i].medium)
			ata_disk_free(&m->disk[i]);
	bus_free(&m->bus);
}

uint32_t machine_read(struct machine *m, unsigned cpu, uint32_t offset)
{
	uint32_t value;

	if (m->armed[cpu]) {
		memcpy(&value, (const uint8_t *)ahci_copy(m->ahci) + offset, sizeof(value));
		return value;
	}
	m->cpu = cpu;
	m->exits[cpu]++;
	return (uint32_t)ahci_read(m->ahci, offset, 4);
}

void machine_write(struct machine *m, unsigned cpu, uint32_t offset, uint32_t value)
{
	m->cpu = cpu;
	m->exits[cpu]++;
	ahci_write(m->ahci, offset, 4, value);
}

uint64_t machine_ram(struct machine *m, uint64_t bytes, uint64_t alignment)
{
	uint64_t address = m->bus.ram_base + ((m->allocated + alignment - 1) & ~(alignment - 1));

	m->allocated = address - m->bus.ram_base + bytes;
	if (m->allocated > m->bus.ram_bytes)
		abort();
	return address;
}

void *machine_pointer(struct machine *m, uint64_t address)
{
	return bus_guest(&m->bus, address, 1);
}
