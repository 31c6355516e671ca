/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/nvme_fixture.h"
#include <stdlib.h>
#include <string.h>

bool nvme_fixture_start(
	struct nvme_fixture *f, const struct nvme_machine_options *machine, const struct driver_options *options)
{
	static const struct nvme_machine_options default_machine = {.cipher_a = 4096};
	static const struct driver_options default_options = {.queues = 2};

	nvme_machine_init(&f->m, machine ? machine : &default_machine);
	if (!f->m.nvme && !f->m.bare)
		return false;
	f->buffer = nvme_machine_ram(&f->m, FIXTURE_BUFFER, 4096);
	f->memory = nvme_machine_pointer(&f->m, f->buffer);
	return driver_start(&f->d, &f->m, options ? options : &default_options);
}

static const char *wrong_for_anyone(const struct nvme_fixture *f)
{
	unsigned dangerous = f->m.controller.dangerous;

	for (unsigned i = 0; i < NVME_MACHINE_NAMESPACES; i++)
		dangerous += f->m.ns[i].dangerous;
	if (f->m.bus.faults)
		return "there was a fault on the bus";
	if (dangerous)
		return "the controller got a command that no guest may reach";
	return NULL;
}

const char *nvme_fixture_drop(struct nvme_fixture *f)
{
	const char *wrong = wrong_for_anyone(f);

	nvme_machine_free(&f->m);
	return wrong;
}

const char *nvme_fixture_stop(struct nvme_fixture *f)
{
	const char *wrong = wrong_for_anyone(f);

	if (!wrong && f->d.strange)
		wrong = "the driver got a completion of nothing that is under way";
	if (!wrong && driver_busy(&f->d))
		wrong = "a command never came to its end";
	if (!wrong && nvme_machine_watched(&f->m))
		wrong = "a CPU is watched and nothing is under way";
	nvme_machine_free(&f->m);
	return wrong;
}

void nvme_fixture_fill(uint8_t *data, size_t bytes, unsigned salt)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16) * 3 + salt);
}

bool nvme_fixture_is_pattern(const struct nvme_fixture *f, uint32_t nsid, uint64_t lba, uint32_t count, const void *data)
{
	struct layout layout = nvme_machine_layout(&f->m, nsid);
	uint8_t expected[4096];

	for (uint32_t i = 0; i < count; i++) {
		layout_pattern(&layout, lba + i, expected);
		if (memcmp((const uint8_t *)data + (size_t)i * layout.lba_size, expected, layout.lba_size))
			return false;
	}
	return true;
}

bool nvme_fixture_holds(const struct nvme_fixture *f, uint32_t nsid, uint64_t lba, uint32_t count, const void *data)
{
	struct layout layout = nvme_machine_layout(&f->m, nsid);
	size_t bytes = (size_t)count * layout.lba_size;
	uint8_t *plain = malloc(bytes);
	bool same;

	layout_plain(&layout, lba, count, plain);
	same = !memcmp(plain, data, bytes);
	free(plain);
	return same;
}

bool nvme_fixture_works(struct nvme_fixture *f)
{
	uint64_t lba = LAYOUT_A_FIRST + 3;

	memset(f->memory, 0, 4096);
	return !driver_read(&f->d, 1, 1, lba, 1, f->buffer) && nvme_fixture_holds(f, 1, lba, 1, f->memory);
}

void nvme_fixture_bad(struct nvme_fixture *f, uint64_t out[FIXTURE_BAD])
{
	const uint64_t page = ~0xfffull, bad[FIXTURE_BAD] = {f->m.bus.arena_base + 0x3000,
		f->m.bus.arena_base + f->m.bus.arena_bytes - 0x1000, f->m.bus.arena_base - 0x10000,
		f->m.bus.ram_base + f->m.bus.ram_bytes, f->m.bus.ram_base - 0x1000, 0, page};

	memcpy(out, bad, sizeof(bad));
}
