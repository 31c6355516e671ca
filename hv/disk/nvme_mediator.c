/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NVMe mediator in its place: finds the controllers that carry protected
 * namespaces, follows their registers (BAR 0), and lends storage/nvme its
 * surroundings. A controller without a protected namespace is not touched.
 */
#include "hv/core/backend.h"
#include "hv/core/interrupts.h"
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/memory.h"
#include "hv/core/mmio.h"
#include "hv/disk/nvme_interrupts.h"
#include "hv/disk/volumes.h"
#include "hv/x86/physical.h"
#include <string.h>

#define MAX_CONTROLLERS 4
#define BAR_MEMORY      (~0xfull)
#define BAR_64          4u
#define PAGE            4096ull
#define PATIENCE        (1ull << 24) /* TSC ticks: some milliseconds, for a queue that nothing announces */
#define PATIENCE_DEAF   (1ull << 32) /* a second or more, where no later interrupt would be an occasion to look */
#define EXIT_COSTS      8 /* times what a switch takes: caches and translations have to be filled again */

static struct controller {
	struct nvme *nvme;
	struct nvme_env env;
	struct nvme_interrupts interrupts;
	struct mmio_hook hook;
	struct disk_map map[NVME_NAMESPACES];
	uint8_t bus, device, function;
	uint64_t bar; /* 0 while the registers cannot be reached */
	uint64_t hook_bytes;
} controllers[MAX_CONTROLLERS];
static uint32_t controller_count;

/* Registers that cannot be reached read as ones, as those of a device that is gone. */
static uint32_t reg_read(void *context, uint32_t offset)
{
	const struct controller *controller = context;
	uint64_t bar = __atomic_load_n(&controller->bar, __ATOMIC_SEQ_CST);
	uint32_t value = bar ? (uint32_t)physical_load(bar + offset, 4) : UINT32_MAX;

	return __atomic_load_n(&controller->bar, __ATOMIC_SEQ_CST) == bar ? value : UINT32_MAX;
}

static void reg_write(void *context, uint32_t offset, uint32_t value)
{
	const struct controller *controller = context;
	uint64_t bar = __atomic_load_n(&controller->bar, __ATOMIC_SEQ_CST);

	if (bar)
		physical_store(bar + offset, 4, value);
}

static uint64_t watch(void *context, uint16_t vector)
{
	const struct controller *controller = context;
	uint64_t cpus = vector == NVME_NO_VECTOR ? 1ull << this_vcpu()->index
						 : nvme_interrupts_cpus(&controller->interrupts, vector);

	interrupts_watch(cpus);
	return cpus;
}

static void unwatch(void *context, uint64_t cpus)
{
	(void)context;
	interrupts_unwatch(cpus);
}

static bool is_message(void *context, uint16_t vector)
{
	const struct controller *controller = context;

	return nvme_interrupts_is_message(&controller->interrupts, vector);
}

static void raise(void *context, uint16_t vector)
{
	const struct controller *controller = context;

	nvme_interrupts_raise(&controller->interrupts, vector);
}

static bool takes_interrupts(void)
{
	return this_vcpu()->rflags & RFLAGS_IF;
}

static bool is_deaf(void *context, uint16_t vector)
{
	const struct controller *controller = context;

	return !takes_interrupts() &&
	       nvme_interrupts_cpus(&controller->interrupts, vector) == 1ull << this_vcpu()->index;
}

/* Whether fewer ticks have gone by since the first call. */
static bool within(uint64_t *since, uint64_t ticks)
{
	if (!*since)
		*since = rdtsc();
	cpu_pause();
	return rdtsc() - *since < ticks;
}

static bool wait(void *context, uint64_t *since)
{
	(void)context;
	return within(since, takes_interrupts() ? PATIENCE : PATIENCE_DEAF);
}

static bool linger(void *context, uint64_t *since)
{
	(void)context;
	return within(since, EXIT_COSTS * this_vcpu()->switch_ticks);
}

/* ---- the guest's accesses ------------------------------------------------------------------------------ */

static bool in_table(const struct controller *controller, uint64_t offset)
{
	const struct nvme_interrupts *interrupts = &controller->interrupts;

	return interrupts->table && offset >= interrupts->table &&
	       offset - interrupts->table < interrupts->entries * MSIX_ENTRY_BYTES;
}

/* Behind the registers there may be the MSI-X table and its pending bits; nothing else is shown. */
static uint64_t hook_read(void *context, uint64_t offset, unsigned size)
{
	struct controller *controller = context;
	uint64_t value = 0;

	if (offset < NVME_BAR_BYTES && !in_table(controller, offset))
		return nvme_read(controller->nvme, (uint32_t)offset, size);
	if (offset % size || size < 4)
		return 0;
	value = reg_read(controller, (uint32_t)offset);
	return size == 8 ? value | (uint64_t)reg_read(controller, (uint32_t)offset + 4) << 32 : value;
}

static void table_write(struct controller *controller, uint32_t offset, uint32_t value)
{
	uint16_t vector = nvme_interrupts_write(&controller->interrupts, offset, value);

	if (vector != NVME_NO_VECTOR)
		nvme_vector_moves(controller->nvme, vector);
	reg_write(controller, offset, value);
	if (vector != NVME_NO_VECTOR)
		nvme_interrupts_written(&controller->interrupts, vector);
}

static void hook_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	struct controller *controller = context;

	if (!in_table(controller, offset)) {
		if (offset < NVME_BAR_BYTES)
			nvme_write(controller->nvme, (uint32_t)offset, size, value);
		return;
	}
	if (size < 4 || offset % size)
		return;
	table_write(controller, (uint32_t)offset, (uint32_t)value);
	if (size == 8)
		table_write(controller, (uint32_t)offset + 4, (uint32_t)(value >> 32));
}

/* ---- where the registers are --------------------------------------------------------------------------- */

static uint64_t current_bar(const struct controller *controller)
{
	uint64_t low = pci_read(controller->bus, controller->device, controller->function, PCI_BAR(0)), high = 0;

	if (low & BAR_64)
		high = pci_read(controller->bus, controller->device, controller->function, PCI_BAR(1));
	return (low & BAR_MEMORY) | high << 32;
}

static void moving(void *context)
{
	struct controller *controller = context;

	__atomic_store_n(&controller->bar, 0, __ATOMIC_SEQ_CST);
}

/* As with every function that is followed: where its registers cannot be trapped it does not decode them. */
static bool moved(void *context, bool memory)
{
	struct controller *controller = context;
	uint64_t bar = memory ? current_bar(controller) : 0, trapped = controller->hook.bytes ? controller->hook.gpa : 0;

	moving(controller);
	if (!bar && trapped)
		mmio_remove(&controller->hook);
	else if (bar != trapped && mmio_place(&controller->hook, bar, controller->hook_bytes, 0))
		bar = 0;
	__atomic_store_n(&controller->bar, bar, __ATOMIC_SEQ_CST);
	return bar;
}

static void written(void *context)
{
	struct controller *controller = context;

	nvme_interrupts_update(&controller->interrupts);
}

/* ---- the mediator -------------------------------------------------------------------------------------- */

static bool match(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->volumes; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_NVME)
			return true;
	return false;
}

/* Finds the controller of a volume, or begins a new one. */
static struct controller *controller_of(const struct boot_volume *volume)
{
	struct controller *controller = controllers;

	for (; controller < controllers + controller_count; controller++)
		if (controller->bus == volume->pci_bus && controller->device == volume->pci_device &&
			controller->function == volume->pci_function)
			return controller;
	if (controller_count == MAX_CONTROLLERS)
		return NULL;
	controller_count++;
	controller->bus = controller->interrupts.bus = volume->pci_bus;
	controller->device = controller->interrupts.device = volume->pci_device;
	controller->function = controller->interrupts.function = volume->pci_function;
	return controller;
}

static int add_volume(const struct boot_info *info, uint32_t index)
{
	const struct boot_volume *volume = &info->volume[index];
	struct controller *controller = controller_of(volume);

	if (!controller || volume->namespace_id - 1 >= NVME_NAMESPACES)
		return -1;
	return disk_add_volume(&controller->map[volume->namespace_id - 1], info, index);
}

static uint64_t bytes_to_trap(const struct controller *controller)
{
	uint64_t table = controller->interrupts.table + controller->interrupts.entries * MSIX_ENTRY_BYTES;

	if (!controller->interrupts.table || table < NVME_BAR_BYTES)
		return NVME_BAR_BYTES;
	return (table + PAGE - 1) & ~(PAGE - 1);
}

/* What lies before a table that stands among the doorbells. */
static uint32_t register_bytes(const struct controller *controller)
{
	uint64_t table = controller->interrupts.table;

	return table && table < NVME_BAR_BYTES ? (uint32_t)table : NVME_BAR_BYTES;
}

static int take_over(struct controller *controller)
{
	struct nvme_config config = {.env = &controller->env, .io_queues = nvme_queues_for(vcpu_count)};
	const struct pci_watch watched = {.bus = controller->bus, .device = controller->device,
		.function = controller->function, .context = controller, .moved = moved, .moving = moving,
		.written = written};
	unsigned namespaces = 0;

	for (unsigned i = 0; i < NVME_NAMESPACES; i++)
		if (controller->map[i].count) {
			config.map[i] = &controller->map[i];
			namespaces++;
		}
	config.arena_bytes = nvme_arena_bytes(config.io_queues);
	config.arena = memory_take(config.arena_bytes, PAGE);
	controller->env = (struct nvme_env){controller, reg_read, reg_write, disk_guest_ram, disk_bus_address, watch,
		unwatch, is_message, raise, is_deaf, wait, linger};
	controller->hook = (struct mmio_hook){.name = "nvme", .context = controller, .read = hook_read,
		.write = hook_write};
	if (pci_read(controller->bus, controller->device, controller->function, PCI_COMMAND) & PCI_COMMAND_MEMORY)
		controller->bar = current_bar(controller);
	nvme_interrupts_init(&controller->interrupts);
	controller->hook_bytes = bytes_to_trap(controller);
	config.registers = register_bytes(controller);
	if (!config.arena || !controller->bar || mmio_add(&controller->hook))
		return -1;
	controller->nvme = nvme_init(&config);
	if (!controller->nvme || mmio_place(&controller->hook, controller->bar, controller->hook_bytes, 0) ||
		pci_watch(&watched))
		return -1;
	log_info("nvme %x:%x.%x: registers at %lx, %u protected namespaces", controller->bus, controller->device,
		controller->function, controller->bar, namespaces);
	return 0;
}

static int init(const struct boot_info *info)
{
	int error = 0;

	for (uint32_t i = 0; i < info->volumes && !error; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_NVME)
			error = add_volume(info, i);
	for (uint32_t i = 0; i < controller_count && !error; i++)
		error = take_over(&controllers[i]);
	return error;
}

static void interrupt(unsigned cpu)
{
	for (uint32_t i = 0; i < controller_count; i++)
		nvme_interrupt(controllers[i].nvme, cpu);
}

static void quiesce(void)
{
	for (uint32_t i = 0; i < controller_count; i++)
		if (controllers[i].nvme)
			nvme_quiesce(controllers[i].nvme);
}

static const struct mediator nvme_mediator = {
	.name = "nvme",
	.match = match,
	.init = init,
	.quiesce = quiesce,
	.shutdown = quiesce,
	.interrupt = interrupt,
};
REGISTER_MEDIATOR(nvme_mediator);
