/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the interrupts of a mediated NVMe controller go: what the guest has written
 * to its MSI-X table and capabilities. PCI 3.0, section 6.8.
 */
#ifndef HV_DISK_NVME_INTERRUPTS_H
#define HV_DISK_NVME_INTERRUPTS_H

#include "hv/core/mmio.h"
#include "storage/nvme/nvme.h"

#define MSIX_ENTRY_BYTES 16u

struct nvme_interrupts {
	uint8_t bus, device, function;
	uint8_t msi, msix;    /* capabilities; 0: none */
	bool msi_on, msix_on;
	uint64_t address;     /* of MSI */
	uint32_t data;
	uint32_t entries;     /* of the MSI-X table */
	uint32_t table;       /* where it begins in BAR 0; 0: it lies in another BAR, and is not followed */
	struct msix_message {
		uint64_t address;
		uint32_t data;
	} message[NVME_QUEUES], sent[NVME_QUEUES]; /* as the guest wrote them; as the device has them */
};

/* Finds the capabilities. Init only. */
void nvme_interrupts_init(struct nvme_interrupts *interrupts);
/* Reads MSI, and what is on, from the capabilities. */
void nvme_interrupts_update(struct nvme_interrupts *interrupts);
/*
 * The guest writes 4 bytes of the table: before the device has them. The vector that
 * goes elsewhere, or NVME_NO_VECTOR; until nvme_interrupts_written its interrupts
 * may come to the CPUs of both places.
 */
uint16_t nvme_interrupts_write(struct nvme_interrupts *interrupts, uint32_t offset, uint32_t value);
/* The device has been written. */
void nvme_interrupts_written(struct nvme_interrupts *interrupts, uint16_t vector);

/* As in struct nvme_env, with the interrupts as context's. */
bool nvme_interrupts_is_message(const struct nvme_interrupts *interrupts, uint16_t vector);
uint64_t nvme_interrupts_cpus(const struct nvme_interrupts *interrupts, uint16_t vector);
void nvme_interrupts_raise(const struct nvme_interrupts *interrupts, uint16_t vector);

#endif
