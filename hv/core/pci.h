/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration space of the functions that are watched or hidden: the guest's
 * accesses by ports CF8h/CFCh and by ECAM meet in one filter; all other functions
 * are the guest's own. PCI 3.0 section 3.2.2.3, PCI Express 3.0 section 7.2.2.
 */
#ifndef HV_CORE_PCI_H
#define HV_CORE_PCI_H

#include <stdbool.h>
#include <stdint.h>

/* Of configuration space, both ends within. */
struct pci_range {
	uint16_t first, last;
};

struct pci_watch {
	uint8_t bus, device, function;
	void *context;
	/*
	 * After a guest write that may have moved where the function decodes addresses: a
	 * base address or the command register, of which `wanted` is the bit that the guest
	 * wants. Any CPU, under the watch's lock. True: the function may decode them as they
	 * are now. Until then, and where the answer is false, it does not, so that nobody
	 * reaches registers that nobody follows.
	 */
	bool (*moved)(void *context, bool wanted);
	bool io; /* what is followed is I/O ports, and the programming interface with them; else memory */
	uint16_t command_off; /* bits of the command register that stay clear, whatever the guest writes */
	/*
	 * Behind the header, from 40h on, the guest's writes are dropped that do not lie
	 * within one of these. NULL: none is.
	 */
	const struct pci_range *open;
	unsigned opens;
	/*
	 * Before it stops decoding, or where a reset is found to have stopped it: until
	 * `moved` nobody can reach its registers. Optional; called like `moved`.
	 */
	void (*moving)(void *context);
	/*
	 * Around such a write and all that follows from it, `moving` and `moved` among it:
	 * the function decodes for good when `release` is called. Optional, both or neither.
	 */
	void (*hold)(void *context);
	void (*release)(void *context);
	/* After a guest write to its capabilities. Optional; called like `moved`. */
	void (*written)(void *context);
};

/* Begins the watch; it is for good. Init only. 0, or -1 when the table is full. */
int pci_watch(const struct pci_watch *watch);

/*
 * Makes a function one that is not there: the guest reads all ones, its writes are
 * dropped, by ports and by ECAM. Init only. 0, or -1 when the table is full.
 */
int pci_hide(uint8_t bus, uint8_t device, uint8_t function);

/* Our own configuration accesses, 32 bits, `offset` a multiple of 4. */
uint32_t pci_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset);

/* Traps the configuration ports. Init only. 0 or -1. */
int pci_init(void);

#define PCI_COMMAND        0x04
#define PCI_COMMAND_IO     1u
#define PCI_COMMAND_MEMORY 2u
#define PCI_INTERFACE      0x09
#define PCI_BAR(n)         (0x10 + 4 * (n))
#define PCI_BARS_END       PCI_BAR(6)
#define PCI_STATUS_CAPABILITIES (1u << 20) /* of the double word at PCI_COMMAND */
#define PCI_CAPABILITIES   0x34
#define PCI_CAPABILITIES_FIRST 0x40
#define PCI_CAPABILITY_MSI  0x05
#define PCI_CAPABILITY_MSIX 0x11

/* Where the capability `id` of a function begins, 0 when it has none. PCI 3.0 section 6.7. */
uint8_t pci_capability(uint8_t bus, uint8_t device, uint8_t function, uint8_t id);

#endif
