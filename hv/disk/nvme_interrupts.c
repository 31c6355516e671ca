/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/disk/nvme_interrupts.h"
#include "hv/core/lapic.h"
#include "hv/core/pci.h"

#define MSI_ENABLE      (1u << 16) /* of the capability's first double word */
#define MSI_COUNT(head) ((head) >> 20 & 7)
#define MSI_64          (1u << 23)
#define MSIX_ENABLE     (1u << 31)
#define MSIX_LAST(head) ((head) >> 16 & 0x7ff)
#define MSIX_BAR(where) ((where) & 7)

static uint32_t read(const struct nvme_interrupts *interrupts, uint16_t offset)
{
	return pci_read(interrupts->bus, interrupts->device, interrupts->function, offset);
}

void nvme_interrupts_update(struct nvme_interrupts *interrupts)
{
	uint16_t at = interrupts->msi;
	uint32_t head = at ? read(interrupts, at) : 0;

	if (at) {
		interrupts->address = read(interrupts, at + 4);
		if (head & MSI_64)
			interrupts->address |= (uint64_t)read(interrupts, at + 8) << 32;
		interrupts->data = read(interrupts, at + (head & MSI_64 ? 12 : 8)) & 0xffff;
		interrupts->data &= ~((1u << MSI_COUNT(head)) - 1);
	}
	interrupts->msi_on = head & MSI_ENABLE;
	interrupts->msix_on = interrupts->msix && read(interrupts, interrupts->msix) & MSIX_ENABLE;
}

void nvme_interrupts_init(struct nvme_interrupts *interrupts)
{
	interrupts->msi = pci_capability(interrupts->bus, interrupts->device, interrupts->function, PCI_CAPABILITY_MSI);
	interrupts->msix = pci_capability(interrupts->bus, interrupts->device, interrupts->function, PCI_CAPABILITY_MSIX);
	if (interrupts->msix) {
		uint32_t where = read(interrupts, interrupts->msix + 4);

		interrupts->entries = MSIX_LAST(read(interrupts, interrupts->msix)) + 1;
		interrupts->table = MSIX_BAR(where) ? 0 : where & ~7u;
	}
	nvme_interrupts_update(interrupts);
}

uint16_t nvme_interrupts_write(struct nvme_interrupts *interrupts, uint32_t offset, uint32_t value)
{
	uint32_t entry = (offset - interrupts->table) / MSIX_ENTRY_BYTES;
	struct msix_message *message = &interrupts->message[entry < NVME_QUEUES ? entry : 0];

	if (entry >= NVME_QUEUES)
		return NVME_NO_VECTOR;
	switch (offset % MSIX_ENTRY_BYTES) {
	case 0:
		message->address = (message->address & ~0xffffffffull) | value;
		return (uint16_t)entry;
	case 4:
		message->address = (uint32_t)message->address | (uint64_t)value << 32;
		return (uint16_t)entry;
	case 8:
		message->data = value;
		return (uint16_t)entry;
	}
	return NVME_NO_VECTOR;
}

void nvme_interrupts_written(struct nvme_interrupts *interrupts, uint16_t vector)
{
	__atomic_store_n(&interrupts->sent[vector].address, interrupts->message[vector].address, __ATOMIC_SEQ_CST);
}

/* A table that is not followed may send any vector anywhere. */
static bool is_known(const struct nvme_interrupts *interrupts, uint16_t vector)
{
	return interrupts->msix_on ? interrupts->table && vector < NVME_QUEUES : interrupts->msi_on;
}

bool nvme_interrupts_is_message(const struct nvme_interrupts *interrupts, uint16_t vector)
{
	return is_known(interrupts, vector);
}

static struct msix_message message_of(const struct nvme_interrupts *interrupts, uint16_t vector)
{
	if (interrupts->msix_on)
		return interrupts->message[vector];
	return (struct msix_message){interrupts->address, interrupts->data + vector};
}

uint64_t nvme_interrupts_cpus(const struct nvme_interrupts *interrupts, uint16_t vector)
{
	uint64_t cpus = 0;

	if (!is_known(interrupts, vector))
		return vcpu_count < 64 ? (1ull << vcpu_count) - 1 : UINT64_MAX;
	if (interrupts->msix_on)
		cpus = lapic_message_cpus(__atomic_load_n(&interrupts->sent[vector].address, __ATOMIC_SEQ_CST));
	return cpus | lapic_message_cpus(message_of(interrupts, vector).address);
}

void nvme_interrupts_raise(const struct nvme_interrupts *interrupts, uint16_t vector)
{
	struct msix_message message;

	if (!is_known(interrupts, vector))
		return;
	message = message_of(interrupts, vector);
	lapic_send_message(message.address, message.data);
}
