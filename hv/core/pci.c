/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/pci.h"
#include "hv/core/acpi.h"
#include "hv/core/ioport.h"
#include "hv/core/log.h"
#include "hv/core/mmio.h"
#include "hv/x86/physical.h"
#include "hv/x86/registers.h"
#include "storage/port.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  (1u << 31)
#define MAX_WATCHES    16

struct watched {
	struct pci_watch watch; /* without `moved` the function is hidden */
	struct mmio_hook ecam;
	uint64_t ecam_page; /* host-physical; 0 when there is no ECAM */
	struct port_lock lock;
	bool wanted;   /* the guest wants its addresses decoded ... */
	bool decoding; /* ... and they are */
};

static struct watched watched[MAX_WATCHES];
static uint32_t watched_count;

/*
 * Guards the pair of ports. `address` is what the guest wrote last: one register
 * for the whole machine, as on the bare one.
 */
static struct port_lock port_pair;
static uint32_t address;

static uint32_t config_address(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
	return CONFIG_ENABLE | (uint32_t)bus << 16 | (uint32_t)device << 11 | (uint32_t)function << 8 |
	       (offset & 0xfc);
}

uint32_t pci_read(uint8_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
	port_lock(&port_pair);
	port_out(CONFIG_ADDRESS, 4, config_address(bus, device, function, offset));
	uint32_t value = port_in(CONFIG_DATA, 4);

	port_out(CONFIG_ADDRESS, 4, address);
	port_unlock(&port_pair);
	return value;
}

uint8_t pci_capability(uint8_t bus, uint8_t device, uint8_t function, uint8_t id)
{
	uint8_t at = (uint8_t)pci_read(bus, device, function, PCI_CAPABILITIES);

	if (!(pci_read(bus, device, function, PCI_COMMAND) & PCI_STATUS_CAPABILITIES))
		return 0;
	/* There is room for 48 of 4 bytes: a list that leads in circles ends. */
	for (unsigned i = 0; i < 48 && at >= PCI_CAPABILITIES_FIRST; i++) {
		uint32_t head = pci_read(bus, device, function, at & 0xfc);

		if ((uint8_t)head == id)
			return at & 0xfc;
		at = (uint8_t)(head >> 8);
	}
	return 0;
}

static struct watched *find(uint32_t config)
{
	for (uint32_t i = 0; config & CONFIG_ENABLE && i < watched_count; i++) {
		const struct pci_watch *watch = &watched[i].watch;

		if ((config & 0xffff00) ==
		    (config_address(watch->bus, watch->device, watch->function, 0) & 0xffff00))
			return &watched[i];
	}
	return NULL;
}

/* The bit of the command register for what is followed. */
static uint16_t space(const struct watched *entry)
{
	return entry->watch.io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
}

static bool is_hidden(const struct watched *entry)
{
	return entry && !entry->watch.moved;
}

/* ---- what the guest writes -------------------------------------------------------------------------- */

static void put_by_ports(const struct watched *entry, uint32_t offset, unsigned size, uint64_t value)
{
	const struct pci_watch *watch = &entry->watch;

	port_lock(&port_pair);
	port_out(CONFIG_ADDRESS, 4, config_address(watch->bus, watch->device, watch->function, (uint16_t)offset));
	port_out((uint16_t)(CONFIG_DATA + offset % 4), size, (uint32_t)value);
	port_out(CONFIG_ADDRESS, 4, address);
	port_unlock(&port_pair);
}

static void put_by_ecam(const struct watched *entry, uint32_t offset, unsigned size, uint64_t value)
{
	uint64_t at = entry->ecam_page + offset;

	physical_store(at, size < 8 ? size : 4, value);
	if (size == 8)
		physical_store(at + 4, 4, value >> 32);
}

static bool touches(uint32_t offset, unsigned size, uint32_t first, uint32_t end)
{
	return offset < end && offset + size > first;
}

static bool is_open(const struct pci_watch *watch, uint32_t offset, unsigned size)
{
	if (!watch->open || offset + size <= PCI_CAPABILITIES_FIRST)
		return true;
	for (unsigned i = 0; i < watch->opens; i++)
		if (watch->open[i].first <= offset && offset + size - 1 <= watch->open[i].last)
			return true;
	return false;
}

/* The command register's bits `off` cleared in a write of `size` bytes from `offset` on. */
static uint64_t without(uint16_t off, uint32_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		if (offset + i == PCI_COMMAND || offset + i == PCI_COMMAND + 1)
			value &= ~((uint64_t)(off >> 8 * (offset + i - PCI_COMMAND) & 0xff) << 8 * i);
	return value;
}

/* Two bytes: a double word would write the status register too, whose bits are cleared by ones. */
static void change_command(const struct watched *entry, uint16_t off, uint16_t on)
{
	const struct pci_watch *watch = &entry->watch;
	uint32_t command = pci_read(watch->bus, watch->device, watch->function, PCI_COMMAND);

	put_by_ports(entry, PCI_COMMAND, 2, (command & ~(uint32_t)off) | on);
}

static void decode(struct watched *entry, bool on)
{
	if (entry->decoding && !on && entry->watch.moving)
		entry->watch.moving(entry->watch.context);
	if (on != entry->decoding)
		change_command(entry, on ? 0 : space(entry), on ? space(entry) : 0);
	entry->decoding = on;
}

/* A reset of the bus, or of the function, has cleared its command register, and the guest knows. */
static void see_reset(struct watched *entry)
{
	const struct pci_watch *watch = &entry->watch;

	if (!entry->decoding || pci_read(watch->bus, watch->device, watch->function, PCI_COMMAND) & space(entry))
		return;
	if (watch->moving)
		watch->moving(watch->context);
	entry->decoding = entry->wanted = false;
}

static void guest_write(struct watched *entry, uint32_t offset, unsigned size, uint64_t value,
			void (*put)(const struct watched *entry, uint32_t offset, unsigned size, uint64_t value))
{
	bool command = touches(offset, size, PCI_COMMAND, PCI_COMMAND + 1);
	bool address_moves = touches(offset, size, PCI_BAR(0), PCI_BARS_END) ||
			     (entry->watch.io && touches(offset, size, PCI_INTERFACE, PCI_INTERFACE + 1));
	bool moves = command || address_moves;
	uint16_t off = entry->watch.command_off;

	if (!is_open(&entry->watch, offset, size))
		return;
	port_lock(&entry->lock);
	if (moves && entry->watch.hold)
		entry->watch.hold(entry->watch.context);
	if (moves)
		see_reset(entry);
	if (command)
		entry->wanted = value >> 8 * (PCI_COMMAND - offset) & space(entry);
	if (address_moves || !entry->wanted)
		decode(entry, false);
	if (!entry->decoding)
		off |= space(entry);
	put(entry, offset, size, without(off, offset, size, value));
	if (moves)
		decode(entry, entry->watch.moved(entry->watch.context, entry->wanted) && entry->wanted);
	if (moves && entry->watch.release)
		entry->watch.release(entry->watch.context);
	if (entry->watch.written && offset + size > PCI_CAPABILITIES_FIRST)
		entry->watch.written(entry->watch.context);
	port_unlock(&entry->lock);
}

/* ---- the ways in -------------------------------------------------------------------------------------- */

/* Only a whole double word at CF8h is the address register; other widths are other ports. */
static void address_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	port_lock(&port_pair);
	if (port == CONFIG_ADDRESS && size == 4)
		address = value;
	port_out(port, size, value);
	port_unlock(&port_pair);
}

static uint32_t data_in(void *context, uint16_t port, unsigned size)
{
	uint32_t value = UINT32_MAX;

	(void)context;
	port_lock(&port_pair);
	if (!is_hidden(find(address)))
		value = port_in(port, size);
	port_unlock(&port_pair);
	return value;
}

static void data_out(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	port_lock(&port_pair);
	uint32_t config = address;
	struct watched *entry = find(config);

	if (!entry)
		port_out(port, size, value);
	port_unlock(&port_pair);
	if (entry && !is_hidden(entry))
		guest_write(entry, (config & 0xfc) + (port & 3), size, value, put_by_ports);
}

static uint64_t ecam_read(void *context, uint64_t offset, unsigned size)
{
	const struct watched *entry = context;
	uint64_t at = entry->ecam_page + offset;

	if (is_hidden(entry))
		return UINT64_MAX;
	if (size < 8)
		return physical_load(at, size);
	return physical_load(at, 4) | physical_load(at + 4, 4) << 32;
}

static void ecam_write(void *context, uint64_t offset, unsigned size, uint64_t value)
{
	struct watched *entry = context;

	if (!is_hidden(entry))
		guest_write(entry, (uint32_t)offset, size, value, put_by_ecam);
}

int pci_watch(const struct pci_watch *watch)
{
	struct watched *entry = &watched[watched_count];

	if (watched_count == MAX_WATCHES)
		return -1;
	entry->watch = *watch;
	if (acpi_facts.ecam_base && watch->bus >= acpi_facts.ecam_first_bus &&
	    watch->bus <= acpi_facts.ecam_last_bus) {
		entry->ecam_page = acpi_facts.ecam_base + ((uint64_t)watch->bus << 20) +
				   ((uint64_t)watch->device << 15) + ((uint64_t)watch->function << 12);
		entry->ecam = (struct mmio_hook){.name = "ecam", .context = entry, .read = ecam_read,
						 .write = ecam_write};
		if (mmio_add(&entry->ecam) ||
		    mmio_place(&entry->ecam, entry->ecam_page, 4096, is_hidden(entry) ? 0 : NPT_READ))
			return -1;
	}
	watched_count++;
	if (is_hidden(entry))
		return 0;
	entry->wanted = entry->decoding = pci_read(watch->bus, watch->device, watch->function, PCI_COMMAND) & space(entry);
	change_command(entry, watch->command_off, 0);
	return 0;
}

int pci_hide(uint8_t bus, uint8_t device, uint8_t function)
{
	const struct pci_watch hidden = {.bus = bus, .device = device, .function = function};

	return pci_watch(&hidden);
}

int pci_init(void)
{
	static const struct ioport_hook address_hook = {.name = "pci", .first = CONFIG_ADDRESS,
							.last = CONFIG_ADDRESS, .width = 4, .out = address_out};
	static const struct ioport_hook data_hook = {.name = "pci", .first = CONFIG_DATA, .last = CONFIG_DATA + 3,
						     .in = data_in, .out = data_out};

	address = port_in(CONFIG_ADDRESS, 4);
	return ioport_add(&address_hook) | ioport_add(&data_hook);
}
