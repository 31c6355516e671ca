/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the data of a command lies: its PRP entries and lists, read once into a
 * table of ours that the device and the cipher then work with. NVM Express 1.4,
 * section 4.3, with pages of 4 KiB.
 */
#ifndef STORAGE_NVME_PRP_H
#define STORAGE_NVME_PRP_H

#include "storage/nvme/registers.h"

#define NVME_PAGE_BYTES 4096u
#define NVME_MAX_BYTES  (1u << 19) /* of one transfer: MDTS 7 */
#define NVME_MAX_PAGES  (NVME_MAX_BYTES / NVME_PAGE_BYTES + 1)

/* The guest's memory, as ahci_env.guest_ram. */
struct nvme_memory {
	void *context;
	void *(*guest_ram)(void *context, uint64_t gpa, uint64_t bytes);
};

struct nvme_pages {
	uint32_t count;
	uint64_t address[NVME_MAX_PAGES]; /* guest-physical; only the first may begin inside its page */
};

/*
 * Reads the pages of `bytes` (1 .. NVME_MAX_BYTES) of data. 0, or the status that
 * the command ends with: an offset that may not be, or memory that is not the
 * guest's. Lists that lead in circles end with the transfer.
 */
uint16_t nvme_prp_read(const struct nvme_memory *memory, const struct nvme_command *command, uint32_t bytes,
	struct nvme_pages *pages);

/* The bytes of page `index` that the transfer of `bytes` uses. */
uint32_t nvme_page_bytes(const struct nvme_pages *pages, uint32_t index, uint32_t bytes);

#endif
