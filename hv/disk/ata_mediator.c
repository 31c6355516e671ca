/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ATA mediator in its place: finds the controllers on ports (PCI class 0101h)
 * that carry protected disks, follows the ports of their channels, and lends
 * storage/ata its surroundings. Both channels are mediated, for they share the bus
 * master. A controller without a protected disk is not touched.
 */
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/memory.h"
#include "hv/disk/ata_controller.h"
#include "hv/disk/volumes.h"

#define MAX_CONTROLLERS 4
#define PAGE            4096ull

static struct controller controllers[MAX_CONTROLLERS];
static uint32_t controller_count;

static bool match(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->volumes; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_ATA)
			return true;
	return false;
}

static bool is_same(const struct ata_function *function, const struct boot_volume *volume)
{
	return function->bus == volume->pci_bus && function->device == volume->pci_device &&
	       function->function == volume->pci_function;
}

/* Finds the controller of a volume, or begins a new one. */
static struct controller *controller_of(const struct boot_volume *volume)
{
	for (uint32_t i = 0; i < controller_count; i++)
		if (is_same(&controllers[i].function, volume))
			return &controllers[i];
	if (controller_count == MAX_CONTROLLERS)
		return NULL;
	struct controller *controller = &controllers[controller_count++];

	controller->function = (struct ata_function){volume->pci_bus, volume->pci_device, volume->pci_function, false};
	return controller;
}

static int add_volume(const struct boot_info *info, uint32_t index)
{
	const struct boot_volume *volume = &info->volume[index];
	struct controller *controller = controller_of(volume);

	if (!controller || volume->port >= ATA_CHANNELS * ATA_DRIVES)
		return -1;
	return disk_add_volume(
		&controller->channel[volume->port / ATA_DRIVES].map[volume->port % ATA_DRIVES], info, index);
}

static int start_channel(struct controller *controller, unsigned number)
{
	static const char *const names[MAX_CONTROLLERS][ATA_CHANNELS] = {
		{"ata 0: primary channel", "ata 0: secondary channel"}, {"ata 1: primary channel", "ata 1: secondary channel"},
		{"ata 2: primary channel", "ata 2: secondary channel"}, {"ata 3: primary channel", "ata 3: secondary channel"}};
	const struct ata_function *function = &controller->function;
	struct channel *channel = &controller->channel[number];
	struct ata_config config = {.env = &channel->env, .name = names[controller - controllers][number],
		.bus_master = function->has_bus_master};

	for (unsigned i = 0; i < ATA_DRIVES; i++)
		config.disk[i] = channel->map[i].count ? &channel->map[i] : NULL;
	config.arena_bytes = ata_arena_bytes(config.disk[0] || config.disk[1] ? ATA_LONGEST_WRITE : ATA_LEAST_WRITE);
	config.arena = memory_take(config.arena_bytes, PAGE);
	channel_surround(channel);
	channel->at = ata_current_places(function, number);
	if (!config.arena || !ata_places_whole(function, channel->at))
		return -1;
	channel->ata = ata_init(&config);
	if (!channel->ata || channel_add_hooks(channel) || channel_place(channel, channel->at))
		return -1;
	log_info("%s of %x:%x.%x at %x, %x, bus master at %x", config.name, function->bus, function->device,
		function->function, channel->at.command, channel->at.control, channel->at.bus_master);
	return 0;
}

static int take_over(struct controller *controller)
{
	int error = 0;

	if (!ata_function_init(&controller->function))
		return -1;
	for (unsigned i = 0; i < ATA_CHANNELS && !error; i++)
		error = start_channel(controller, i);
	return error ? error : controller_watch(controller);
}

static int init(const struct boot_info *info)
{
	int error = 0;

	for (uint32_t i = 0; i < info->volumes && !error; i++)
		if (info->volume[i].controller == BOOT_CONTROLLER_ATA)
			error = add_volume(info, i);
	for (uint32_t i = 0; i < controller_count && !error; i++)
		error = take_over(&controllers[i]);
	return error;
}

static void quiesce(void)
{
	for (uint32_t i = 0; i < controller_count; i++)
		for (unsigned j = 0; j < ATA_CHANNELS; j++)
			if (controllers[i].channel[j].ata)
				ata_quiesce(controllers[i].channel[j].ata);
}

static const struct mediator ata_mediator = {
	.name = "ata",
	.match = match,
	.init = init,
	.quiesce = quiesce,
	.shutdown = quiesce,
};
REGISTER_MEDIATOR(ata_mediator);
