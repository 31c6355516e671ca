/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of a controller, followed where the guest moves them. */
#include "hv/disk/ata_controller.h"

/* A hook that has no port is placed at 0, where it has none. */
static int place(struct ioport_hook *hook, uint16_t first, unsigned ports)
{
	uint16_t last = first ? (uint16_t)(first + ports - 1) : 0;

	return hook->first == first && hook->last == last ? 0 : ioport_place(hook, first ? first : 1, last);
}

int channel_place(struct channel *channel, struct ata_places places)
{
	return place(&channel->command, places.command, 8) | place(&channel->control, places.control, 1) |
	       place(&channel->bus_master, places.bus_master, ATA_BUS_MASTER_PORTS);
}

/* Those that stay where they are are followed all the time. */
static struct ata_places staying(const struct channel *channel, struct ata_places places)
{
	return (struct ata_places){channel->command.first == places.command ? places.command : 0,
		channel->control.first == places.control ? places.control : 0,
		channel->bus_master.first == places.bus_master ? places.bus_master : 0};
}

/* First away, then there: they may change places. -1 where the ports would be another hook's. */
static int place_all(struct controller *controller, const struct ata_places places[ATA_CHANNELS])
{
	int error = 0;

	for (unsigned i = 0; i < ATA_CHANNELS; i++)
		channel_place(&controller->channel[i], staying(&controller->channel[i], places[i]));
	for (unsigned i = 0; i < ATA_CHANNELS; i++)
		error |= channel_place(&controller->channel[i], places[i]);
	return error;
}

static void hold(void *context)
{
	struct controller *controller = context;

	for (unsigned i = 0; i < ATA_CHANNELS; i++)
		ata_hold(controller->channel[i].ata);
}

static void release(void *context)
{
	struct controller *controller = context;

	for (unsigned i = ATA_CHANNELS; i-- > 0;)
		ata_release(controller->channel[i].ata);
}

static void moving(void *context)
{
	struct controller *controller = context;

	for (unsigned i = 0; i < ATA_CHANNELS; i++)
		ata_detach(controller->channel[i].ata);
}

/*
 * Sizing writes all ones, then the address again: both moves are followed. Where the
 * ports would be another hook's, or are nowhere, the controller does not decode them
 * until it is moved again.
 */
static bool moved(void *context, bool wanted)
{
	struct controller *controller = context;
	struct ata_places places[ATA_CHANNELS];
	bool whole = wanted;

	for (unsigned i = 0; i < ATA_CHANNELS; i++) {
		places[i] = ata_current_places(&controller->function, i);
		whole &= ata_places_whole(&controller->function, places[i]);
	}
	if (!whole || place_all(controller, places)) {
		moving(controller);
		for (unsigned i = 0; i < ATA_CHANNELS; i++)
			places[i] = ata_fixed_places(&controller->function, i);
		place_all(controller, places);
		return false;
	}
	for (unsigned i = 0; i < ATA_CHANNELS; i++) {
		controller->channel[i].at = places[i];
		ata_attach(controller->channel[i].ata);
	}
	return true;
}

int controller_watch(struct controller *controller)
{
	/* Some have their registers in memory too: it stays off. */
	const struct ata_function *function = &controller->function;
	struct pci_watch watch = {.bus = function->bus, .device = function->device, .function = function->function,
		.context = controller, .moved = moved, .moving = moving, .hold = hold, .release = release, .io = true,
		.command_off = PCI_COMMAND_MEMORY};

	watch.open = ata_open_configuration(function, &watch.opens);
	return pci_watch(&watch);
}
