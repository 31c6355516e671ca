/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration, by ports and by the enhanced space. Everything may be read.
 * Written are the mediated HBA and functions that do not exist (or are hidden).
 * Left out: the chipset's own functions, which route memory, and other devices,
 * which could be told to write to any memory; the HBA's messages, which are a write
 * to any address as well; its I/O window, which might cover the console.
 */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/paging.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  (1u << 31)
#define COMMAND        0x04
#define BAR4           0x20
#define BAR5           0x24
#define MESSAGES       0x80
#define MESSAGES_END   0x90
#define INDEX          0x10 /* in the I/O window */
#define DATA           0x14
#define PXCLB          0x100

static uint32_t lock;

void config_lock(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
}

void config_unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static uint32_t hba_read(uint16_t offset)
{
	return pci_config_read(0, (uint8_t)(places.hba >> 3), places.hba & 7, offset);
}

static void hba_write(uint16_t offset, uint32_t value)
{
	pci_config_write(0, (uint8_t)(places.hba >> 3), places.hba & 7, offset, value);
}

static bool overlaps(uint16_t offset, unsigned size, uint16_t first, uint16_t end)
{
	return offset < end && offset + size > first;
}

static bool exists(unsigned place)
{
	return (uint16_t)pci_config_read(0, (uint8_t)(place >> 3), place & 7, 0) != 0xffff;
}

static bool writable(int place, uint16_t offset, unsigned size)
{
	if (place != places.hba)
		return !exists((unsigned)place);
	return !overlaps(offset, size, MESSAGES, MESSAGES_END) && !overlaps(offset, size, BAR4, BAR5);
}

static uint32_t draw_bar(struct fuzzer *f)
{
	switch (draw_below(f, 4)) {
	case 0:
		return (uint32_t)draw_address(f);
	case 1:
		return UINT32_MAX;
	}
	return (uint32_t)draw(f);
}

/* One access at the data port or in the function's page; the offset within the function. */
static void access(struct fuzzer *f, int place, uint16_t offset, unsigned size, bool write)
{
	volatile uint8_t *page = pci_ecam(0, (uint8_t)(place >> 3), place & 7);
	uint64_t value = overlaps(offset, size, BAR5, BAR5 + 4) ? draw_bar(f) : draw_value(f);
	uint32_t narrow = (uint32_t)value;

	if (write && !writable(place, offset, size))
		return;
	doing(f, write ? "configuration write" : "configuration read", (uint64_t)place << 16 | offset, size, value);
	if (page && one_in(f, 2)) {
		try_access((uint64_t)page + offset, size, write, &value);
		return;
	}
	port_out(CONFIG_ADDRESS, 4, CONFIG_ENABLE | (uint32_t)place << 8 | (offset & 0xfc));
	if (size < 8)
		try_port((uint16_t)(CONFIG_DATA + offset % 4), size, write, &narrow);
}

/* Widths and places of the pair that are none: an address written in parts, data that begins below or ends above. */
static void odd_access(struct fuzzer *f)
{
	uint16_t port = (uint16_t)(CONFIG_ADDRESS + draw_below(f, 8));
	unsigned size = 1u << draw_below(f, 3);
	uint32_t value = (uint32_t)draw(f), place = (uint32_t)draw_below(f, 256);
	bool write = port != 0xcf9 && port + size <= CONFIG_DATA && one_in(f, 2); /* left out: resets; data goes as in access() */

	if (port <= 0xcf9 && port + size > 0xcf9 && size < 4)
		write = false;
	port_out(CONFIG_ADDRESS, 4, CONFIG_ENABLE | place << 8 | (value & 0xfc));
	doing(f, write ? "odd configuration write" : "odd configuration read", port, size, value);
	try_port(port, size, write, &value);
}

void do_config(struct fuzzer *f)
{
	int place = one_in(f, 2) ? places.hba : (int)draw_below(f, 256);
	unsigned size = 1u << draw_below(f, 4);
	uint16_t offset = (uint16_t)draw_below(f, one_in(f, 2) ? 0x40 : 0x1000);

	if (place == places.hba && one_in(f, 2))
		offset = (uint16_t)(one_in(f, 2) ? BAR5 : COMMAND);
	if (!one_in(f, 8))
		offset &= (uint16_t)~(size - 1);
	config_lock();
	if (one_in(f, 6))
		odd_access(f);
	else
		access(f, place, offset, size, one_in(f, 2));
	if (places.abar) {
		hba_write(BAR5, (uint32_t)places.abar);
		hba_write(COMMAND, 0x7);
	}
	config_unlock();
}

/* The HBA's registers by a pair of I/O ports, around every page: only the hypervisor's trap may be reached. */
void do_index_ports(struct fuzzer *f)
{
	uint64_t list = 0;
	uint32_t seen = PXCLB;

	if (!places.index_port || !places.own)
		return;
	config_lock();
	hba_write(COMMAND, 0x7);
	doing(f, "index ports", places.index_port, hba_read(COMMAND), 0);
	try_port((uint16_t)(places.index_port + INDEX), 4, true, &seen);
	try_port((uint16_t)(places.index_port + DATA), 4, false, &seen);
	config_unlock();
	if (seen >= places.own && seen < places.own + places.own_bytes)
		guest_fail("the HBA's index and data ports show its list at %x", seen);
	try_access(places.abar + PXCLB, 4, false, &list);
}
