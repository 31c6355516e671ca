/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/ata_fixture.h"
#include <stdlib.h>
#include <string.h>

static size_t medium_bytes(const struct ata_fixture *f)
{
	return f->m.disk[0].sectors * f->m.disk[0].lba_size;
}

bool ata_fixture_start(struct ata_fixture *f, const struct ata_machine_options *options, bool polls)
{
	memset(f, 0, sizeof(*f));
	ata_machine_init(&f->m, options);
	if (!f->m.ata)
		return false;
	guest_ata_start(&f->g, &f->m, 0, polls);
	f->buffer = ata_machine_ram(&f->m, ATA_FIXTURE_BUFFER, 65536);
	f->memory = ata_machine_pointer(&f->m, f->buffer);
	f->medium = malloc(medium_bytes(f));
	memcpy(f->medium, f->m.disk[0].medium, medium_bytes(f));
	return true;
}

void ata_fixture_pin(struct ata_fixture *f)
{
	f->pin = (struct disk_pin){.lba = PINNED_LBA, .offset = PINNED_OFFSET, .bytes = PINNED_BYTES};
	memcpy(f->pin.value, f->medium + PINNED_LBA * f->m.disk[0].lba_size + PINNED_OFFSET, PINNED_BYTES);
	if (disk_map_pin(&f->m.map[0], &f->pin))
		abort();
}

const char *ata_fixture_stop(struct ata_fixture *f)
{
	const char *wrong = f->m.bus.faults ? "there was a fault on the bus" : NULL;

	if (f->m.disk[0].dangerous)
		wrong = "the drive got a command that no guest may reach";
	free(f->medium);
	ata_machine_free(&f->m);
	return wrong;
}

bool ata_fixture_unchanged(const struct ata_fixture *f)
{
	return !memcmp(f->medium, f->m.disk[0].medium, medium_bytes(f));
}

bool ata_fixture_holds(const struct ata_fixture *f, uint64_t lba, uint32_t count, const void *data)
{
	uint32_t size = f->m.disk[f->g.drive].lba_size;
	uint8_t plain[4096];

	for (uint32_t i = 0; i < count; i++) {
		ata_machine_plain(&f->m, f->g.drive, lba + i, 1, plain);
		if (memcmp(plain, (const uint8_t *)data + i * size, size))
			return false;
	}
	return true;
}

void ata_fixture_patterns(const struct ata_fixture *f, uint64_t lba, uint32_t count, uint8_t *out)
{
	uint32_t size = f->m.disk[f->g.drive].lba_size;

	for (uint32_t i = 0; i < count; i++)
		ata_machine_pattern(&f->m, f->g.drive, lba + i, out + i * size);
}

bool ata_fixture_shows(const struct ata_fixture *f, uint64_t lba, uint32_t count)
{
	uint32_t bytes = count * f->m.disk[f->g.drive].lba_size;
	uint8_t *expected = malloc(bytes);
	bool same;

	ata_fixture_patterns(f, lba, count, expected);
	same = !memcmp(f->memory, expected, bytes);
	free(expected);
	return same;
}

bool ata_fixture_works(struct ata_fixture *f)
{
	uint32_t size = f->m.disk[0].lba_size;

	for (int dma = 0; dma < 2; dma++) {
		memset(f->memory, 0, size);
		if (!guest_ata_read(&f->g, dma, dma, 99, 1, f->buffer) || !ata_fixture_holds(f, 99, 1, f->memory))
			return false;
	}
	return true;
}

bool ata_fixture_keeps(const struct ata_fixture *f, const void *bytes, uint32_t count)
{
	return memmem(f->m.bus.arena, f->m.bus.arena_bytes, bytes, count);
}
