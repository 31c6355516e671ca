/* SPDX-License-Identifier: Apache-2.0 */
/* What CPU 0 does: moves of the registers' page, commands that make the register copy come and go. */
#include "storage/ahci/registers.h"
#include "tests/guest/shootdown/shootdown.h"

#define CLASS_AHCI   0x010601
#define PCI_COMMAND  0x04
#define PCI_MEMORY   2u
#define PCI_ABAR     0x24
#define PAGE         4096ull
#define STEP         (1ull << 20)
#define RESTS_US     200

struct truth truth;
volatile uint64_t moves, copies;
static uint8_t device, function;
static uint8_t *buffer;

static bool answers(uint64_t page)
{
	for (uint64_t at = 0; at < PAGE; at += 256)
		if (*(volatile uint32_t *)(page + at) != *(volatile uint32_t *)(page + PAGE - 4))
			return true;
	return false;
}

void moves_begin(struct ahci_disk *disk)
{
	int found = pci_find_class(CLASS_AHCI);
	uint64_t page;

	device = (uint8_t)(found >> 3);
	function = found & 7;
	page = truth.place[0] = (uint64_t)disk->hba;
	for (unsigned i = 1; i < PLACES; i++) {
		do
			page += STEP;
		while (answers(page));
		truth.place[i] = page;
	}
	truth.empty = *(volatile uint32_t *)page;
	truth.list = (uint32_t)(uint64_t)disk->list;
	buffer = take_memory(AHCI_SECTOR, 4096);
	print("places = %lx %lx %lx\nempty = %x\n", truth.place[0], truth.place[1], truth.place[2], truth.empty);
}

static void set_memory(bool on)
{
	uint32_t command = pci_config_read(0, device, function, PCI_COMMAND) & 0xffff;

	pci_config_write(0, device, function, PCI_COMMAND, on ? command | PCI_MEMORY : command & ~PCI_MEMORY);
}

static void use(struct ahci_disk *disk)
{
	if (!ahci_transfer(disk, 1, 1, buffer, false) || memcmp(buffer, "EFI PART", 8))
		guest_fail("the disk does not answer at %lx", truth.place[truth.at]);
}

static void map_change_begin(void)
{
	change_begin();
	rest_begin();
}

static void map_change_end(void)
{
	rest_end();
	change_end();
}

/* To another place or off, as it comes: with memory space on or off meanwhile, sized first as a system does. */
void move_once(struct ahci_disk *disk)
{
	uint32_t to = (uint32_t)random_below(PLACES);
	bool off = random_below(4) == 0, sized = random_below(4) == 0;

	map_change_begin();
	if (off)
		set_memory(false);
	if (sized && off)
		pci_config_write(0, device, function, PCI_ABAR, UINT32_MAX);
	pci_config_write(0, device, function, PCI_ABAR, (uint32_t)truth.place[to]);
	truth.at = off ? PLACES : to;
	if (off) {
		map_change_end();
		wait_us(random_below(RESTS_US));
		map_change_begin();
		set_memory(true);
		truth.at = to;
	}
	disk->hba = (volatile uint32_t *)truth.place[to];
	disk->port = disk->hba + HBA_PORTS / 4;
	map_change_end();
	wait_us(random_below(RESTS_US));
	use(disk);
	moves++;
}

/*
 * A command whose interrupt is on, though no CPU takes it: IS is set, and whoever
 * reads it is shown the copy, until it is acknowledged here.
 */
void copies_once(struct ahci_disk *disk)
{
	disk->port[PORT_IE / 4] = IS_COMMAND;
	disk->hba[HBA_GHC / 4] |= GHC_IE;
	for (unsigned turn = 0; turn < 4; turn++) {
		change_begin();
		truth.settled = false;
		change_end();
		use(disk);
		wait_us(random_below(RESTS_US));
		change_begin();
		disk->port[PORT_IS / 4] = UINT32_MAX;
		disk->hba[HBA_IS / 4] = UINT32_MAX;
		truth.settled = true;
		change_end();
		wait_us(random_below(RESTS_US));
		copies++;
	}
	change_begin();
	truth.settled = false;
	change_end();
	disk->port[PORT_IE / 4] = 0;
	disk->hba[HBA_GHC / 4] &= ~GHC_IE;
}
