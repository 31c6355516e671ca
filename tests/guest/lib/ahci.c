/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/ahci.h"
#include "storage/ahci/registers.h"

#define CLASS_AHCI       0x010601
#define PCI_COMMAND      0x04
#define PCI_COMMAND_ON   0x06 /* memory space, bus master */
#define PCI_ABAR         0x24
#define GHC_AE           (1u << 31)
#define SSTS_PRESENT     3u
#define CMD_SPIN_UP      (1u << 1)
#define READ_DMA_EXT     0x25
#define WRITE_DMA_EXT    0x35
#define DEVICE_LBA       0x40
#define TFD_BUSY         0x88u
#define STOP_US          1000000
#define COMMAND_US       10000000

volatile uint32_t *ahci_registers(void)
{
	int place = pci_find_class(CLASS_AHCI);

	if (place < 0)
		return NULL;
	uint8_t device = (uint8_t)(place >> 3), function = place & 7;

	pci_config_write(0, device, function, PCI_COMMAND,
			 pci_config_read(0, device, function, PCI_COMMAND) | PCI_COMMAND_ON);
	return (volatile uint32_t *)(uint64_t)(pci_config_read(0, device, function, PCI_ABAR) & ~0xfffu);
}

static bool stop(volatile uint32_t *port)
{
	port[PORT_CMD / 4] &= ~CMD_ST;
	if (!WAIT_UNTIL(!(port[PORT_CMD / 4] & CMD_CR), STOP_US))
		return false;
	port[PORT_CMD / 4] &= ~CMD_FRE;
	return WAIT_UNTIL(!(port[PORT_CMD / 4] & CMD_FR), STOP_US);
}

bool ahci_open(struct ahci_disk *disk, unsigned port)
{
	disk->hba = ahci_registers();
	if (!disk->hba)
		return false;
	disk->hba[HBA_GHC / 4] |= GHC_AE;
	disk->port = disk->hba + (HBA_PORTS + port * HBA_PORT_BYTES) / 4;
	if (!(disk->hba[HBA_PI / 4] >> port & 1) || (disk->port[PORT_SSTS / 4] & 15) != SSTS_PRESENT ||
		!stop(disk->port))
		return false;
	disk->list = take_memory(1024, 1024);
	disk->fis = take_memory(256, 256);
	disk->table = take_memory(4096, 4096);
	disk->list[0].ctba = (uint64_t)disk->table;
	disk->port[PORT_CLB / 4] = (uint32_t)(uint64_t)disk->list;
	disk->port[PORT_CLBU / 4] = 0;
	disk->port[PORT_FB / 4] = (uint32_t)(uint64_t)disk->fis;
	disk->port[PORT_FBU / 4] = 0;
	disk->port[PORT_IE / 4] = 0;
	disk->port[PORT_SERR / 4] = UINT32_MAX;
	disk->port[PORT_IS / 4] = UINT32_MAX;
	disk->port[PORT_CMD / 4] |= CMD_FRE | CMD_SPIN_UP;
	if (!WAIT_UNTIL(!(disk->port[PORT_TFD / 4] & TFD_BUSY), STOP_US))
		return false;
	disk->port[PORT_CMD / 4] |= CMD_ST;
	return true;
}

static void describe(struct ahci_disk *disk, uint64_t lba, uint32_t sectors, const void *buffer, bool write)
{
	disk->table->fis = (struct fis_h2d){
		.type = FIS_H2D,
		.flags = FIS_COMMAND,
		.command = write ? WRITE_DMA_EXT : READ_DMA_EXT,
		.lba0 = (uint8_t)lba,
		.lba1 = (uint8_t)(lba >> 8),
		.lba2 = (uint8_t)(lba >> 16),
		.lba3 = (uint8_t)(lba >> 24),
		.lba4 = (uint8_t)(lba >> 32),
		.lba5 = (uint8_t)(lba >> 40),
		.device = DEVICE_LBA,
		.count = (uint8_t)sectors,
		.count_high = (uint8_t)(sectors >> 8),
	};
	disk->table->prd[0] = (struct prd){.address = (uint64_t)buffer, .count = sectors * AHCI_SECTOR - 1};
	disk->list[0].flags = FIS_H2D_WORDS | (write ? HEADER_WRITE : 0) | 1u << 16;
	disk->list[0].prdbc = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Firmware's way: PxCI until the command has gone, then the task file. */
bool ahci_transfer(struct ahci_disk *disk, uint64_t lba, uint32_t sectors, void *buffer, bool write)
{
	describe(disk, lba, sectors, buffer, write);
	disk->port[PORT_IS / 4] = UINT32_MAX;
	disk->port[PORT_CI / 4] = 1;
	if (!WAIT_UNTIL(!(disk->port[PORT_CI / 4] & 1) || disk->port[PORT_IS / 4] & IS_ERRORS, COMMAND_US))
		return false;
	return !(disk->port[PORT_TFD / 4] & (TFD_BUSY | TFD_ERR));
}
