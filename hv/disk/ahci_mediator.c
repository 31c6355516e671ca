/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AHCI mediator in its place: finds the HBAs that carry protected disks,
 * follows their register page (BAR 5), and lends storage/ahci its surroundings.
 * An HBA without a protected disk is not touched.
 */
#include "hv/core/backend.h"
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/memory.h"
#include "hv/core/mmio.h"
#include "hv/disk/volumes.h"
#include "hv/x86/physical.h"
#include "storage/ahci/ahci.h"
#include "storage/ahci/registers.h"
#include <string.h>

#define MAX_HBAS        4
#define ABAR            PCI_BAR(5)
#define ABAR_HOOK_BYTES 0x2000ull /* 32 ports reach into a second page */
#define PAGE            4096ull
/* What one HBA gets: its rings, and bounce memory for several commands of 1 MiB in flight. */
#define AHCI_MEDIATOR_ARENA (8ull << 20)

static struct hba {
	struct ahci *ahci;
	struct ahci_env env;
	struct mmio_hook hook;
	struct disk_map map[AHCI_PORTS];
	uint8_t bus, device, function;
	uint64_t abar; /* 0 while the registers cannot be reached */
	uint64_t hook_bytes;
} hbas[MAX_HBAS];
static uint32_t hba_count;

/*
 * Registers that cannot be reached read as ones, which end no command: some machines
 * would give zeroes. A read that a move has overtaken is one of these.
 */
static uint32_t reg_read(void *context, uint32_t offset)
{
	const struct hba *hba = context;
	uint64_t abar = __atomic_load_n(&hba->abar, __ATOMIC_SEQ_CST);
	uint32_t value = abar ? (uint32_t)physical_load(abar + offset, 4) : UINT32_MAX;

	return __atomic_load_n(&hba->abar, __ATOMIC_SEQ_CST) == abar ? value : UINT32_MAX;
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	const struct hba *hba = context;
	uint64_t abar = __atomic_load_n(&hba->abar, __ATOMIC_SEQ_CST);

	if (abar)
		physical_store(abar + offset, 4, value);
}

static void copy_arm(void *context)
{
	struct hba *hba = context;

	mmio_reveal(&hba->hook, ahci_copy(hba->ahci));
}

static void copy_disarm(void *context, bool all_cpus)
{
	struct hba *hba = context;

	mmio_conceal(&hba->hook, all_cpus);
}

static uint64_t hook_read(void *context, uint64_t offset, unsigned size)
{
	struct hba *hba = context;

	return ahci_read(hba->ahci, (uint32_t)offset, size);
}

static void hook_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	struct hba *hba = context;

	ahci_write(hba->ahci, (uint32_t)offset, size, value);
}

/* A driver that queues a command announces it in PxSACT and issues it in PxCI. */
static bool hook_more(void *context, uint64_t offset)
{
	(void)context;
	return offset >= HBA_PORTS && offset % HBA_PORT_BYTES == PORT_SACT;
}

static uint64_t current_abar(const struct hba *hba)
{
	return pci_read(hba->bus, hba->device, hba->function, ABAR) & ~(uint32_t)(PAGE - 1);
}

static void moving(void *context)
{
	struct hba *hba = context;

	__atomic_store_n(&hba->abar, 0, __ATOMIC_SEQ_CST);
}

/*
 * Sizing writes all ones, then the address again: both moves are followed. Where
 * the registers would overlap RAM or another hook, or no page is left to trap them,
 * the HBA does not decode their address until it is moved again.
 */
static bool moved(void *context, bool memory)
{
	struct hba *hba = context;
	uint64_t abar = memory ? current_abar(hba) : 0, trapped = hba->hook.bytes ? hba->hook.gpa : 0;

	moving(hba);
	if (!abar && trapped)
		mmio_remove(&hba->hook);
	else if (abar != trapped && mmio_place(&hba->hook, abar, hba->hook_bytes, 0))
		abar = 0;
	__atomic_store_n(&hba->abar, abar, __ATOMIC_SEQ_CST);
	return abar;
}

static bool match(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->volumes; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_AHCI)
			return true;
	return false;
}

static bool same_hba(const struct hba *hba, const struct boot_volume *volume)
{
	return volume->controller == BOOT_CONTROLLER_AHCI && hba->bus == volume->pci_bus &&
	       hba->device == volume->pci_device && hba->function == volume->pci_function;
}

/* Finds the HBA of a volume, or begins a new one. */
static struct hba *hba_of(const struct boot_volume *volume)
{
	for (uint32_t i = 0; i < hba_count; i++)
		if (same_hba(&hbas[i], volume))
			return &hbas[i];
	if (hba_count == MAX_HBAS)
		return NULL;
	struct hba *hba = &hbas[hba_count++];

	hba->bus = volume->pci_bus;
	hba->device = volume->pci_device;
	hba->function = volume->pci_function;
	return hba;
}

static int add_volume(const struct boot_info *info, uint32_t index)
{
	const struct boot_volume *volume = &info->volume[index];
	struct hba *hba = hba_of(volume);

	if (!hba || volume->port >= AHCI_PORTS)
		return -1;
	return disk_add_volume(&hba->map[volume->port], info, index);
}

static int take_over(struct hba *hba)
{
	struct ahci_config config = {.env = &hba->env};
	/* Some HBAs have their registers in I/O space too, behind an index port (AHCI 1.3.1, 10.14): it stays off. */
	const struct pci_watch watch = {.bus = hba->bus, .device = hba->device, .function = hba->function,
		.context = hba, .moved = moved, .moving = moving, .command_off = PCI_COMMAND_IO};
	unsigned disks = 0;

	for (unsigned port = 0; port < AHCI_PORTS; port++)
		if (hba->map[port].count) {
			config.disk[port] = &hba->map[port];
			disks++;
		}
	config.arena_bytes = AHCI_MEDIATOR_ARENA;
	config.arena = memory_take(config.arena_bytes, PAGE);
	hba->env = (struct ahci_env){hba, reg_read, reg_write, disk_guest_ram, disk_bus_address, copy_arm, copy_disarm};
	hba->hook = (struct mmio_hook){.name = "ahci", .context = hba, .read = hook_read, .write = hook_write,
		.more = hook_more};
	if (pci_read(hba->bus, hba->device, hba->function, PCI_COMMAND) & PCI_COMMAND_MEMORY)
		hba->abar = current_abar(hba);
	if (!config.arena || config.arena_bytes < ahci_arena_bytes(disks) || !hba->abar || mmio_add(&hba->hook))
		return -1;
	/* Ports 30 and 31 lie in the second page. */
	hba->hook_bytes = reg_read(hba, 0x0c) >> 30 ? ABAR_HOOK_BYTES : PAGE;
	hba->ahci = ahci_init(&config);
	if (!hba->ahci || mmio_place(&hba->hook, hba->abar, hba->hook_bytes, 0) || pci_watch(&watch))
		return -1;
	log_info("ahci %x:%x.%x: registers at %lx, %u protected disks", hba->bus, hba->device, hba->function,
		 hba->abar, disks);
	return 0;
}

static int init(const struct boot_info *info)
{
	int error = 0;

	for (uint32_t i = 0; i < info->volumes && !error; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_AHCI)
			error = add_volume(info, i);
	for (uint32_t i = 0; i < hba_count && !error; i++)
		error = take_over(&hbas[i]);
	return error;
}

static void quiesce(void)
{
	for (uint32_t i = 0; i < hba_count; i++)
		if (hbas[i].ahci)
			ahci_quiesce(hbas[i].ahci);
}

static const struct mediator ahci_mediator = {
	.name = "ahci",
	.match = match,
	.init = init,
	.quiesce = quiesce,
	.shutdown = quiesce,
};
REGISTER_MEDIATOR(ahci_mediator);
