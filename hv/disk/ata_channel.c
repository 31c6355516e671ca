/* SPDX-License-Identifier: Apache-2.0 */
/* Between the guest, storage/ata and the ports of the device. */
#include "hv/disk/ata_controller.h"
#include "hv/disk/volumes.h"
#include "hv/x86/instructions.h"
#include <string.h>

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

int channel_add_hooks(struct channel *channel)
{
	channel->command = (struct ioport_hook){.name = "ata", .context = channel, .first = 1, .several = true, .in = command_in,
		.out = command_out, .in_block = command_in_block, .out_block = command_out_block};
	channel->control = (struct ioport_hook){
		.name = "ata", .context = channel, .first = 1, .several = true, .in = control_in, .out = control_out};
	channel->bus_master = (struct ioport_hook){
		.name = "ata", .context = channel, .first = 1, .several = true, .in = bus_master_in, .out = bus_master_out};
	return ioport_add(&channel->command) | ioport_add(&channel->control) | ioport_add(&channel->bus_master);
}

void channel_surround(struct channel *channel)
{
	channel->env = (struct ata_env){channel, device_in, device_out, data_in, data_out, disk_guest_ram, disk_bus_address};
}
