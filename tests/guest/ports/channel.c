/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/ports/channel.h"

#define INTERFACES    256
#define CLASS_IDE     0x010100
#define PCI_COMMAND   0x04
#define PCI_BAR4      0x20
#define COMMAND_PORTS 1u
#define COMMAND_ON    5u /* ports, bus master */
#define SETTLE_US     10000000

int controller = -1;

static uint32_t config(uint16_t offset)
{
	return pci_config_read(0, (uint8_t)(controller >> 3), controller & 7, offset);
}

static void config_write(uint16_t offset, uint32_t value)
{
	pci_config_write(0, (uint8_t)(controller >> 3), controller & 7, offset, value);
}

void channels_find(struct channel channel[2])
{
	for (unsigned interface = 0; interface < INTERFACES && controller < 0; interface++)
		controller = pci_find_class(CLASS_IDE | interface);
	if (controller < 0)
		guest_fail("no IDE controller on bus 0");
	config_write(PCI_COMMAND, (config(PCI_COMMAND) & 0xffff) | COMMAND_ON);
	channel[0] = (struct channel){0x1f0, 0x3f6, config(PCI_BAR4) & 0xfff0, 0};
	channel[1] = (struct channel){0x170, 0x376, (config(PCI_BAR4) & 0xfff0) + 8, 0};
	for (unsigned i = 0; i < 2; i++)
		port_out(channel[i].control, 1, 2); /* no interrupts */
}

void bus_master_move(struct channel channel[2], uint16_t base)
{
	config_write(PCI_BAR4, base | 1u);
	channel[0].bus_master = base;
	channel[1].bus_master = base + 8;
}

void decode_ports(bool on)
{
	config_write(PCI_COMMAND, (config(PCI_COMMAND) & 0xffff & ~COMMAND_PORTS) | (on ? COMMAND_PORTS : 0));
}

uint8_t in(const struct channel *c, unsigned port)
{
	return (uint8_t)port_in((uint16_t)(c->command + port), 1);
}

void out(const struct channel *c, unsigned port, uint8_t value)
{
	port_out((uint16_t)(c->command + port), 1, value);
}

void words_in(const struct channel *c, void *to, uint32_t sectors)
{
	uint64_t count = sectors * (SECTOR / 2);

	__asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(c->command) : "memory");
}

void words_out(const struct channel *c, const void *from, uint32_t words)
{
	uint64_t count = words;

	__asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(c->command) : "memory");
}

uint8_t settle(const struct channel *c, bool asked)
{
	uint8_t status = 0xff;

	return WAIT_UNTIL((status = (uint8_t)port_in(c->control, 1), !(status & STATUS_BSY) &&
			(!asked || status & (STATUS_DRQ | STATUS_ERR))), SETTLE_US)
		? status : 0xff;
}

void load(const struct channel *c, uint64_t lba, uint32_t count, bool select)
{
	const uint8_t earlier[] = {0, (uint8_t)(count >> 8), (uint8_t)(lba >> 24), (uint8_t)(lba >> 32), (uint8_t)(lba >> 40)};
	const uint8_t latest[] = {0, (uint8_t)count, (uint8_t)lba, (uint8_t)(lba >> 8), (uint8_t)(lba >> 16)};

	if (select)
		out(c, DEVICE, (uint8_t)(DEVICE_LBA | c->drive << 4 | (lba < 1u << 28 ? lba >> 24 : 0)));
	for (unsigned i = 0; i < 5; i++) {
		out(c, FEATURES + i, earlier[i]);
		out(c, FEATURES + i, latest[i]);
	}
}

void soft_reset(const struct channel *c)
{
	port_out(c->control, 1, 2 | CONTROL_SRST);
	wait_us(10);
	port_out(c->control, 1, 2);
	wait_us(2000);
	settle(c, false);
}

uint8_t pio(const struct channel *c, uint8_t opcode, uint64_t lba, uint32_t count, void *data, uint32_t block)
{
	bool write = opcode != READ_SECTORS;
	uint8_t status;

	load(c, lba, count, true);
	out(c, COMMAND, opcode);
	for (uint32_t done = 0; done < count; done += block) {
		status = settle(c, true);
		if (!(status & STATUS_DRQ) || status & STATUS_ERR)
			return status | STATUS_ERR;
		if (write)
			words_out(c, (uint8_t *)data + done * SECTOR, block * (SECTOR / 2));
		else
			words_in(c, (uint8_t *)data + done * SECTOR, block);
	}
	return settle(c, false);
}

uint8_t dma(const struct channel *c, uint8_t opcode, uint64_t lba, uint32_t count, uint32_t address)
{
	static struct prd *table;
	uint32_t bytes = count * SECTOR, entries = 0;
	uint8_t direction = opcode == READ_DMA_EXT ? BM_TO_MEMORY : 0, status;

	if (!table)
		table = take_memory(PRD_BOUNDARY, PRD_BOUNDARY);
	for (; bytes; entries++) {
		uint32_t part = PRD_BOUNDARY - address % PRD_BOUNDARY;

		part = part < bytes ? part : bytes;
		bytes -= part;
		table[entries] = (struct prd){address, (uint16_t)part, bytes ? 0 : PRD_END};
		address += part;
	}
	port_out(c->bus_master + 4, 4, (uint32_t)(uint64_t)table);
	port_out(c->bus_master + 2, 1, BM_STATUS_INTR | BM_STATUS_ERROR);
	port_out(c->bus_master, 1, direction);
	load(c, lba, count, true);
	out(c, COMMAND, opcode);
	port_out(c->bus_master, 1, direction | BM_START);
	status = settle(c, false);
	/* Either bit may stand for "at work". */
	if (status & STATUS_DRQ && !WAIT_UNTIL(!((status = settle(c, false)) & STATUS_DRQ), SETTLE_US))
		status = 0xff;
	port_out(c->bus_master, 1, direction);
	return status;
}

uint8_t plain(const struct channel *c, uint8_t opcode, uint32_t count)
{
	load(c, 0, count, true);
	out(c, COMMAND, opcode);
	return settle(c, false);
}
