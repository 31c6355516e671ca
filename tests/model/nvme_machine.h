/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model machine around the NVMe mediator: the model controller, guest RAM, and
 * two CPUs that reach the registers through the mediator. An interrupt arrives at
 * a CPU, is taken, and is handled by the guest: three events, and the test says
 * when each of them happens. One that is taken while its CPU is watched exits to
 * the mediator first.
 *
 *   namespace 1  protected, as layout.h
 *   namespace 2  not protected
 *   namespace 3  not protected, 512-byte blocks with 8 bytes of metadata
 */
#ifndef TESTS_MODEL_NVME_MACHINE_H
#define TESTS_MODEL_NVME_MACHINE_H

#include "storage/nvme/nvme.h"
#include "tests/model/layout.h"
#include "tests/model/nvme_controller.h"

#define NVME_MACHINE_CPUS	2
#define NVME_MACHINE_NAMESPACES 3

struct nvme_machine_options {
	uint32_t lba_size;   /* of namespaces 1 and 2; 0: 512 */
	uint32_t cipher_a;   /* sector size of A; 0: the LBA's */
	uint64_t sectors;    /* of each namespace, a multiple of 64 and at least 1024; 0: 4096 */
	uint64_t ram_bytes;  /* 0: 32 MiB */
	size_t arena_bytes;  /* 0: what the mediator asks for */
	unsigned io_queues;  /* pairs; 0: 2 */
	unsigned device_queues; /* that the controller itself grants; 0: as many */
	unsigned entries;    /* of a queue, at most; 0: 1024 */
	unsigned stride;     /* CAP.DSTRD */
	uint32_t registers;  /* of the BAR, that reach the mediator; 0: all */
	uint8_t mdts;
	bool contiguous; /* CAP.CQR */
	bool pin;	 /* the interrupt is the pin */
	bool drop_trim;
	bool bare;    /* no mediator: the guest drives the controller itself */
	bool running; /* the firmware left it enabled */
	bool stuck;   /* and it does not stop */
};

struct nvme_machine_cpu {
	unsigned watches;
	/* By vector; the pin is vector 0. */
	uint32_t pending;    /* arrived */
	uint32_t taken;	     /* and taken: the guest's handler is next */
	uint32_t in_service; /* not acknowledged by the guest: holds further ones back */
	bool masked;	     /* the guest takes no interrupts */
	uint64_t exits;	     /* register accesses */
	uint64_t interrupt_exits;
};

struct nvme_machine {
	struct bus bus;
	struct controller controller;
	struct namespace ns[NVME_MACHINE_NAMESPACES];
	struct disk_map map, no_map;
	struct xts_key key[2];
	struct nvme_env env;
	struct nvme *nvme; /* NULL when the mediator refused, or there is none */
	bool bare;
	struct nvme_machine_cpu cpu[NVME_MACHINE_CPUS];
	unsigned exiting; /* the CPU that is in the mediator, or was last */
	uint8_t affinity[CONTROLLER_VECTORS]; /* CPUs that the vector may reach, a bit each: as the device has it */
	uint8_t routed[CONTROLLER_VECTORS];   /* as the mediator is told: both while it changes */
	bool acknowledge_first;		      /* the guest's handler acknowledges before it looks, as for an edge */
	void (*handler)(void *context, unsigned cpu, uint16_t vector); /* the guest's */
	void *handler_context;
	unsigned patience;		       /* looks that the mediator's wait may make */
	unsigned leisure;		       /* looks that it may make where an interrupt will come */
	void (*waiting)(struct nvme_machine *m); /* what happens meanwhile; NULL: the controller makes a step */
	void (*asked)(struct nvme_machine *m);	 /* before the mediator is told about interrupts; may be NULL */
	uint64_t watched, raised, waits, lingers; /* calls */
	uint64_t allocated;
};

/* Builds it; the namespaces hold layout_pattern(). */
void nvme_machine_init(struct nvme_machine *m, const struct nvme_machine_options *options);
void nvme_machine_free(struct nvme_machine *m);

uint64_t nvme_machine_read(struct nvme_machine *m, unsigned cpu, uint32_t offset, unsigned size);
void nvme_machine_write(struct nvme_machine *m, unsigned cpu, uint32_t offset, unsigned size, uint64_t value);

/* Guest RAM, zeroed when first given: returns its address; never given back but all at once. */
uint64_t nvme_machine_ram(struct nvme_machine *m, uint64_t bytes, uint64_t alignment);
void *nvme_machine_pointer(struct nvme_machine *m, uint64_t address);

struct layout nvme_machine_layout(const struct nvme_machine *m, uint32_t nsid);

/* A message that is on its way, or the pin, reaches a CPU; false when there is none. */
bool nvme_machine_arrive(struct nvme_machine *m, uint16_t vector, unsigned cpu);
/* The CPU takes an interrupt that has arrived: to the mediator first where it is watched. False when it takes none. */
bool nvme_machine_take(struct nvme_machine *m, unsigned cpu);
/* An interrupt of something else comes to the CPU. */
void nvme_machine_tick(struct nvme_machine *m, unsigned cpu);
/* The guest's handler runs for one that was taken; false when there is none. */
bool nvme_machine_handle(struct nvme_machine *m, unsigned cpu);
/* All of this until nothing is left. */
void nvme_machine_interrupts(struct nvme_machine *m);
/* The controller works and interrupts are handled until nothing is left; bounded. */
void nvme_machine_finish(struct nvme_machine *m);
/* The guest sends a vector to other CPUs: the mediator hears of it, then the device. */
void nvme_machine_route(struct nvme_machine *m, uint16_t vector, uint8_t cpus);
void nvme_machine_routed(struct nvme_machine *m, uint16_t vector, uint8_t cpus);

/* CPUs that are watched, a bit each. */
unsigned nvme_machine_watched(const struct nvme_machine *m);
uint64_t nvme_machine_exits(const struct nvme_machine *m);
void nvme_machine_forget_exits(struct nvme_machine *m);

#endif
