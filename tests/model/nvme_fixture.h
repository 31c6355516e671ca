/* SPDX-License-Identifier: Apache-2.0 */
/* A machine with the NVMe mediator and a driver that has begun: where most tests start, and what must hold where they end. */
#ifndef TESTS_MODEL_NVME_FIXTURE_H
#define TESTS_MODEL_NVME_FIXTURE_H

#include "tests/model/guest_nvme.h"

#define FIXTURE_BUFFER ((1u << 20) + 2 * 4096u)

struct nvme_fixture {
	struct nvme_machine m;
	struct driver d;
	uint64_t buffer; /* FIXTURE_BUFFER bytes of guest RAM, page-aligned */
	uint8_t *memory; /* the same */
};

/* False when the mediator refused or the driver failed. NULL: the defaults. */
bool nvme_fixture_start(
	struct nvme_fixture *f, const struct nvme_machine_options *machine, const struct driver_options *options);
/*
 * Frees it. NULL, or what was wrong: a fault on the bus, a command that no guest
 * may reach, a completion of nothing, one that never came, a CPU still watched.
 */
const char *nvme_fixture_stop(struct nvme_fixture *f);
/* The same for a driver that has been abandoned in the middle. */
const char *nvme_fixture_drop(struct nvme_fixture *f);

void nvme_fixture_fill(uint8_t *data, size_t bytes, unsigned salt);
/* Whether `data` is what these blocks held at the start, or hold now, in clear. */
bool nvme_fixture_is_pattern(const struct nvme_fixture *f, uint32_t nsid, uint64_t lba, uint32_t count, const void *data);
bool nvme_fixture_holds(const struct nvme_fixture *f, uint32_t nsid, uint64_t lba, uint32_t count, const void *data);
/* Whether a read of one block in A gives what its owner should see: the mediator works. */
bool nvme_fixture_works(struct nvme_fixture *f);

/* Addresses where no guest memory is: the mediator's, beyond RAM and below, the ends of the space. All are page-aligned. */
#define FIXTURE_BAD 7
void nvme_fixture_bad(struct nvme_fixture *f, uint64_t out[FIXTURE_BAD]);

#endif
