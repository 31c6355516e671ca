/* SPDX-License-Identifier: Apache-2.0 */
/* A controller on ports as the mediator's files share it. */
#ifndef HV_DISK_ATA_CONTROLLER_H
#define HV_DISK_ATA_CONTROLLER_H

#include "hv/core/ioport.h"
#include "hv/disk/ata_places.h"
#include "storage/ata/ata.h"

struct channel {
	struct ata *ata;
	struct ata_env env;
	struct disk_map map[ATA_DRIVES];
	struct ata_places at; /* guarded by ata_hold() */
	struct ioport_hook command, control, bus_master;
};

struct controller {
	struct ata_function function;
	struct channel channel[ATA_CHANNELS];
};

/* ata_channel.c: what storage/ata asks for, and the guest's accesses. */
void channel_surround(struct channel *channel);
/* Its hooks have no ports yet. Init only. 0 or -1. */
int channel_add_hooks(struct channel *channel);

/* ata_move.c: where the ports are. */
/* Places the channel's hooks. -1 where a port is another hook's. */
int channel_place(struct channel *channel, struct ata_places places);
/* Follows the function's base addresses from now on. Init only. 0 or -1. */
int controller_watch(struct controller *controller);

#endif
