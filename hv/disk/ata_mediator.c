/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ATA mediator in its place: finds the controllers on ports (PCI class 0101h)
 * that carry protected disks, follows the ports of their channels, and lends
 * storage/ata its surroundings. Both channels are mediated, for they share the bus
 * master. A controller without a protected disk is not touched.
 */
#include "hv/core/ioport.h"
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/memory.h"
#include "hv/disk/ata_places.h"
#include "hv/disk/volumes.h"
#include "hv/x86/instructions.h"
#include "storage/ata/ata.h"

#define MAX_CONTROLLERS 4
#define PAGE            4096ull

struct channel {
	struct ata *ata;
	struct ata_env env;
	struct disk_map map[ATA_DRIVES];
	struct ata_places at;
	struct ioport_hook command, control, bus_master;
	struct ioport_loan loan;
};

static struct controller {
	struct ata_function function;
	struct channel channel[ATA_CHANNELS];
} controllers[MAX_CONTROLLERS];
static uint32_t controller_count;

/* ---- what storage/ata asks for -------------------------------------------------------------------------- */

/* 0 when the port cannot be reached. */
static uint16_t place_of(const struct channel *channel, enum ata_port port)
{
	if (port < ATA_CONTROL)
		return channel->at.command ? channel->at.command + port : 0;
	if (port == ATA_CONTROL)
		return channel->at.control;
	return channel->at.bus_master ? channel->at.bus_master + (port - ATA_BUS_MASTER) : 0;
}

static unsigned width_of(enum ata_port port)
{
	return port == ATA_BM_PRD ? 4 : 1;
}

static uint32_t device_in(void *context, enum ata_port port)
{
	uint16_t place = place_of(context, port);

	return place ? port_in(place, width_of(port)) : UINT32_MAX;
}

static void device_out(void *context, enum ata_port port, uint32_t value)
{
	uint16_t place = place_of(context, port);

	if (place)
		port_out(place, width_of(port), value);
}

static void data_in(void *context, void *to, uint32_t words)
{
	uint16_t place = place_of(context, ATA_DATA);

	if (place)
		port_in_words(place, to, words);
}

static void data_out(void *context, const void *from, uint32_t words)
{
	uint16_t place = place_of(context, ATA_DATA);

	if (place)
		port_out_words(place, from, words);
}

/* The mediator's lock is held: one loan changes at a time. */
static void lend(void *context, uint32_t groups)
{
	struct channel *channel = context;
	struct ioport_range range[IOPORT_LOAN_RANGES];
	unsigned count = 0;
	uint16_t command = channel->at.command, bus_master = channel->at.bus_master;

	if (groups & ATA_LEND_REGISTERS && command)
		range[count++] = (struct ioport_range){command + ATA_COUNT, command + ATA_DEVICE};
	if (groups & ATA_LEND_BUS_MASTER && bus_master) {
		range[count++] = (struct ioport_range){bus_master, bus_master};
		range[count++] = (struct ioport_range){bus_master + 2, bus_master + 2};
	}
	if (groups & ATA_LEND_PRD && bus_master)
		range[count++] = (struct ioport_range){bus_master + 4, bus_master + 7};
	ioport_lend(&channel->loan, range, count);
}

/* ---- the guest's accesses ---------------------------------------------------------------------------------- */

static uint32_t command_in(void *context, uint16_t port, unsigned size)
{
	const struct channel *channel = context;

	return ata_read(channel->ata, (uint32_t)(port - channel->command.first), size);
}

static void command_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	const struct channel *channel = context;

	ata_write(channel->ata, (uint32_t)(port - channel->command.first), size, value);
}

/* A string at another port than the data register's means nothing: its elements one by one. */
static void command_in_block(void *context, uint16_t port, unsigned size, void *data, uint32_t count)
{
	const struct channel *channel = context;

	if (port == channel->command.first && size > 1) {
		ata_data_in(channel->ata, data, count * size);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t value = command_in(context, port, size);

		memcpy((uint8_t *)data + i * size, &value, size);
	}
}

static void command_out_block(void *context, uint16_t port, unsigned size, const void *data, uint32_t count)
{
	const struct channel *channel = context;

	if (port == channel->command.first && size > 1) {
		ata_data_out(channel->ata, data, count * size);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t value = 0;

		memcpy(&value, (const uint8_t *)data + i * size, size);
		command_out(context, port, size, value);
	}
}

static uint32_t control_in(void *context, uint16_t port, unsigned size)
{
	(void)port;
	return ata_read(((const struct channel *)context)->ata, ATA_CONTROL, size);
}

static void control_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)port;
	ata_write(((const struct channel *)context)->ata, ATA_CONTROL, size, value);
}

static uint32_t bus_master_in(void *context, uint16_t port, unsigned size)
{
	const struct channel *channel = context;

	return ata_read(channel->ata, ATA_BUS_MASTER + (uint32_t)(port - channel->bus_master.first), size);
}

static void bus_master_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	const struct channel *channel = context;

	ata_write(channel->ata, ATA_BUS_MASTER + (uint32_t)(port - channel->bus_master.first), size, value);
}

/* ---- where the ports are ----------------------------------------------------------------------------------- */

/* A hook that has no port is placed at 0, where it has none. */
static int place(struct ioport_hook *hook, uint16_t first, unsigned ports)
{
	uint16_t last = first ? (uint16_t)(first + ports - 1) : 0;

	return hook->first == first && hook->last == last ? 0 : ioport_place(hook, first ? first : 1, last);
}

static int place_channel(struct channel *channel, struct ata_places places)
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
		place_channel(&controller->channel[i], staying(&controller->channel[i], places[i]));
	for (unsigned i = 0; i < ATA_CHANNELS; i++)
		error |= place_channel(&controller->channel[i], places[i]);
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

/* ---- start and end -------------------------------------------------------------------------------------------- */

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

static int add_hooks(struct channel *channel)
{
	channel->command = (struct ioport_hook){.name = "ata", .context = channel, .first = 1, .in = command_in,
		.out = command_out, .in_block = command_in_block, .out_block = command_out_block};
	channel->control = (struct ioport_hook){
		.name = "ata", .context = channel, .first = 1, .in = control_in, .out = control_out};
	channel->bus_master = (struct ioport_hook){
		.name = "ata", .context = channel, .first = 1, .in = bus_master_in, .out = bus_master_out};
	return ioport_add(&channel->command) | ioport_add(&channel->control) | ioport_add(&channel->bus_master);
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
	channel->env = (struct ata_env){
		channel, device_in, device_out, data_in, data_out, disk_guest_ram, disk_bus_address,
		ioport_can_lend() ? lend : NULL};
	channel->at = ata_current_places(function, number);
	if (!config.arena || !ata_places_whole(function, channel->at))
		return -1;
	channel->ata = ata_init(&config);
	if (!channel->ata || add_hooks(channel) || place_channel(channel, channel->at))
		return -1;
	log_info("%s of %x:%x.%x at %x, %x, bus master at %x", config.name, function->bus, function->device,
		function->function, channel->at.command, channel->at.control, channel->at.bus_master);
	return 0;
}

static int take_over(struct controller *controller)
{
	/* Some have their registers in memory too: it stays off. */
	const struct ata_function *function = &controller->function;
	struct pci_watch watch = {.bus = function->bus, .device = function->device,
		.function = function->function, .context = controller, .moved = moved, .moving = moving, .hold = hold,
		.release = release, .io = true, .command_off = PCI_COMMAND_MEMORY};
	int error = 0;

	if (!ata_function_init(&controller->function))
		return -1;
	for (unsigned i = 0; i < ATA_CHANNELS && !error; i++)
		error = start_channel(controller, i);
	watch.open = ata_open_configuration(function, &watch.opens);
	return error ? error : pci_watch(&watch);
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
