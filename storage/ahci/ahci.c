/* SPDX-License-Identifier: Apache-2.0 */
/* The HBA as a whole: start, generic registers, accesses of every width, stop. */
#include "storage/ahci/internal.h"
#include "storage/crypt/wipe.h"

#define RESET_READS 2000000u

/* Registers in which a 1 acts and a 0 does not: the other bytes of a narrow write are 0. */
static bool is_write_one(uint32_t offset)
{
	if (offset < HBA_PORTS)
		return offset == HBA_IS;
	switch (offset % HBA_PORT_BYTES) {
	case PORT_IS:
	case PORT_SERR:
	case PORT_SACT:
	case PORT_CI:
	case PORT_SNTF:
		return true;
	}
	return false;
}

static void collect_port(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];
	struct cipher_scope scope = {.saved = false};

	if (!port->map)
		return;
	port_lock(&port->lock);
	collect(ahci, number, &scope);
	cipher_end(&scope);
	port_unlock(&port->lock);
}

static void issue_starved(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];
	struct cipher_scope scope = {.saved = false};

	port_lock(&port->lock);
	issue_waiting(ahci, number, &scope);
	cipher_end(&scope);
	port_unlock(&port->lock);
}

/*
 * At the end of every access: ports that waited for memory which another port gave
 * back may never see an interrupt of their own to go on by. A port that starves
 * after the look at `given` sees the memory at the end of its own access.
 */
static void serve_starved(struct ahci *ahci)
{
	struct pool *pool = &ahci->pool;

	if (!__atomic_load_n(&pool->starved, __ATOMIC_SEQ_CST) ||
	    !__atomic_exchange_n(&pool->given, false, __ATOMIC_SEQ_CST))
		return;
	for (uint32_t rest = __atomic_exchange_n(&pool->starved, 0, __ATOMIC_SEQ_CST); rest; rest &= rest - 1)
		issue_starved(ahci, (unsigned)__builtin_ctz(rest));
}

/* The device's value first; then everything it implies is collected. */
static uint32_t read_is(struct ahci *ahci)
{
	uint32_t since = __atomic_load_n(&ahci->withdrawn, __ATOMIC_SEQ_CST);
	uint32_t is = device_read(ahci, HBA_IS);

	for (uint32_t rest = is & ahci->implemented; rest; rest &= rest - 1)
		collect_port(ahci, (unsigned)__builtin_ctz(rest));
	copy_arm_if_owed(ahci, is, since);
	return is;
}

static uint32_t read_word(struct ahci *ahci, uint32_t offset)
{
	if (offset >= AHCI_ABAR_SIZE)
		return 0;
	if (offset >= HBA_PORTS)
		return port_read(ahci, (offset - HBA_PORTS) / HBA_PORT_BYTES, offset % HBA_PORT_BYTES);
	if (offset == HBA_CAP)
		return ahci->cap;
	if (offset == HBA_IS)
		return read_is(ahci);
	return device_read(ahci, offset);
}

/* HR forgets everything; bounded by the specification's one second (AHCI 10.4.3). */
static void reset_hba(struct ahci *ahci, uint32_t value)
{
	uint32_t reads = 0;

	for (unsigned i = 0; i < AHCI_PORTS; i++)
		if (ahci->port[i].map)
			port_lock(&ahci->port[i].lock);
	device_write(ahci, HBA_GHC, value);
	while (device_read(ahci, HBA_GHC) & GHC_HR && ++reads < RESET_READS)
		;
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		struct port *port = &ahci->port[i];

		/* The base addresses outlive a reset (AHCI 10.4.3). */
		copy_mark_stale(ahci, i);
		if (!port->map)
			continue;
		port->running = false;
		port->guest_fis = NULL;
		if (reads < RESET_READS) {
			collect_abandon(ahci, i);
			port_program(ahci, i);
		} else {
			port->stopping = true;
		}
		port_unlock(&port->lock);
	}
	port_lock(&ahci->lock);
	ahci->unacked = 0;
	port_unlock(&ahci->lock);
}

static void write_word(struct ahci *ahci, uint32_t offset, uint32_t value)
{
	if (offset >= AHCI_ABAR_SIZE)
		return;
	if (offset >= HBA_PORTS) {
		port_write(ahci, (offset - HBA_PORTS) / HBA_PORT_BYTES, offset % HBA_PORT_BYTES, value);
	} else if (offset == HBA_IS) {
		device_write(ahci, HBA_IS, value);
		copy_acknowledge(ahci, value);
	} else if (offset == HBA_GHC && value & GHC_HR) {
		copy_disarm_all(ahci);
		reset_hba(ahci, value);
		ahci->ghc = device_read(ahci, HBA_GHC);
	} else {
		device_write(ahci, offset, value);
		if (offset == HBA_GHC)
			ahci->ghc = device_read(ahci, HBA_GHC);
		copy_disarm_all(ahci);
	}
}

uint64_t ahci_read(struct ahci *ahci, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned done = 0; done < size;) {
		uint32_t byte = (offset + done) % 4, part = 4 - byte < size - done ? 4 - byte : size - done;
		uint64_t word = read_word(ahci, (offset + done) & ~3u) >> 8 * byte;

		value |= (word & (0xffffffffull >> 8 * (4 - part))) << 8 * done;
		done += part;
	}
	serve_starved(ahci);
	return value;
}

void ahci_write(struct ahci *ahci, uint32_t offset, unsigned size, uint64_t value)
{
	for (unsigned done = 0; done < size;) {
		uint32_t at = (offset + done) & ~3u, byte = (offset + done) % 4;
		uint32_t part = 4 - byte < size - done ? 4 - byte : size - done;
		uint32_t mask = (uint32_t)(0xffffffffull >> 8 * (4 - part)) << 8 * byte;
		uint32_t word = (uint32_t)(value >> 8 * done) << 8 * byte & mask;

		if (mask != UINT32_MAX && !is_write_one(at))
			word |= read_word(ahci, at) & ~mask;
		write_word(ahci, at, word);
		done += part;
	}
	serve_starved(ahci);
}

const void *ahci_copy(const struct ahci *ahci)
{
	return ahci->copy;
}

void ahci_quiesce(struct ahci *ahci)
{
	bool stopped = true;

	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		struct port *port = &ahci->port[i];

		if (!port->map || port->dead)
			continue;
		port_lock(&port->lock);
		/* From here no command is issued. */
		port->dead = true;
		if (!port_stop(ahci, i)) {
			log_warning("ahci: port %u does not stop", i);
			stopped = false;
		}
		port_unlock(&port->lock);
	}
	/* A device that still reads would put the zeroes on the medium. What is there is ciphertext, but for a partial sector. */
	if (stopped)
		secret_wipe(ahci->pool.base, (size_t)ahci->pool.pages * PAGE_BYTES);
}

void ahci_statistics(struct ahci *ahci, struct ahci_statistics *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < AHCI_PORTS; i++) {
		const struct ahci_statistics *port = &ahci->port[i].statistics;

		out->commands += port->commands;
		out->bytes_read += port->bytes_read;
		out->bytes_written += port->bytes_written;
		out->refused += port->refused;
		out->read_modify_writes += port->read_modify_writes;
		out->waits += port->waits;
	}
}
