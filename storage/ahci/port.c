/* SPDX-License-Identifier: Apache-2.0 */
/* One port's registers as the guest uses them. AHCI 3.3. */
#include "storage/ahci/internal.h"

#define STOP_READS 2000000u /* of a register: about a second on a device, the 500 ms of AHCI 10.1.2 and more */

static uint32_t get(const struct ahci *ahci, unsigned number, uint32_t reg)
{
	return device_read(ahci, port_offset(number, reg));
}

static void put(const struct ahci *ahci, unsigned number, uint32_t reg, uint32_t value)
{
	device_write(ahci, port_offset(number, reg), value);
}

static void put_address(struct ahci *ahci, unsigned number, uint32_t reg, const void *memory)
{
	uint64_t address = ahci->env->bus_address(ahci->env->context, memory);

	put(ahci, number, reg, (uint32_t)address);
	put(ahci, number, reg + 4, (uint32_t)(address >> 32));
}

void port_program(struct ahci *ahci, unsigned number)
{
	put_address(ahci, number, PORT_CLB, ahci->port[number].list);
	put_address(ahci, number, PORT_FB, ahci->port[number].fis);
}

static bool wait_clear(struct ahci *ahci, unsigned number, uint32_t bit)
{
	for (uint32_t i = 0; i < STOP_READS; i++)
		if (!(get(ahci, number, PORT_CMD) & bit))
			return true;
	return false;
}

/* ST first, then FRE (AHCI 10.1.2). */
bool port_stop(struct ahci *ahci, unsigned number)
{
	put(ahci, number, PORT_CMD, get(ahci, number, PORT_CMD) & ~CMD_ST);
	if (!wait_clear(ahci, number, CMD_CR))
		return false;
	put(ahci, number, PORT_CMD, get(ahci, number, PORT_CMD) & ~CMD_FRE);
	return wait_clear(ahci, number, CMD_FR);
}

/* CR=0 says that the device uses our list no more: only now is its memory free again. */
static void settle_stop(struct ahci *ahci, unsigned number, uint32_t cmd)
{
	if (ahci->port[number].stopping && !(cmd & CMD_CR))
		collect_abandon(ahci, number);
}

/* Lists that are not in the guest's own RAM: the engine stays off, as on a bus that does not answer. */
static uint32_t allowed_engines(struct ahci *ahci, unsigned number, uint32_t cmd)
{
	struct port *port = &ahci->port[number];
	const char *what = NULL;

	if (cmd & CMD_FRE) {
		port->guest_fis = guest_memory(ahci, port->guest_fb, RFIS_BYTES);
		if (!port->guest_fis)
			what = "received-FIS area";
	}
	if (cmd & CMD_ST && !port->running) {
		port->guest_list =
			guest_memory(ahci, port->guest_clb, COMMAND_SLOTS * sizeof(struct command_header));
		if (!port->guest_list)
			what = "command list";
	}
	if (!what)
		return cmd;
	log_warning("ahci: port %u: %s outside the guest's memory; its engine stays off", number, what);
	return cmd & ~(CMD_ST | (port->guest_fis ? 0 : CMD_FRE));
}

/* The command issue and active bits go with ST (AHCI 3.3.13, 3.3.14). */
static void write_cmd(struct ahci *ahci, unsigned number, uint32_t value, struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	bool was_running = port->running;

	if (!port->map) {
		/* Its lists are the guest's own, but never ours. */
		if ((value & CMD_FRE && !guest_memory(ahci, port->guest_fb, RFIS_BYTES)) ||
		    (value & CMD_ST && !guest_memory(ahci, port->guest_clb,
					       COMMAND_SLOTS * sizeof(struct command_header)))) {
			log_warning("ahci: port %u: lists outside the guest's memory; its engines stay off", number);
			value &= ~(CMD_ST | CMD_FRE);
		}
		put(ahci, number, PORT_CMD, value);
		return;
	}
	uint32_t now = get(ahci, number, PORT_CMD);

	settle_stop(ahci, number, now);
	value = allowed_engines(ahci, number, value);
	if (port->stopping || port->dead)
		value &= ~CMD_ST;
	if (was_running && !(value & CMD_ST))
		collect(ahci, number, scope);
	port->running = value & CMD_ST;
	/* A reset by way of configuration space may have cleared the addresses: an engine starts on ours only. */
	if (value & ~now & CMD_ST)
		put_address(ahci, number, PORT_CLB, port->list);
	if (value & ~now & CMD_FRE)
		put_address(ahci, number, PORT_FB, port->fis);
	put(ahci, number, PORT_CMD, value);
	if (was_running && !port->running) {
		port->stopping = true;
		port->waiting = 0;
		port->guest_ci = port->guest_sact = 0;
		copy_show_commands(ahci, number);
		settle_stop(ahci, number, get(ahci, number, PORT_CMD));
	}
	if (!(value & CMD_FRE))
		port->guest_fis = NULL;
}

static void write_ci(struct ahci *ahci, unsigned number, uint32_t bits, struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];
	uint32_t fresh = bits & ~port->guest_ci;

	/* A queued command is in PxSACT until it ends: its slot may not be used twice. */
	for (uint32_t rest = fresh; rest; rest &= rest - 1)
		if (port->slot[__builtin_ctz(rest)].state != SLOT_FREE)
			fresh &= ~(rest & -rest);
	if (!port->running || port->dead || !fresh)
		return;
	port->guest_ci |= fresh;
	/* The copy shows them before the device can have finished them. */
	copy_show_commands(ahci, number);
	for (uint32_t rest = fresh; rest; rest &= rest - 1)
		accept_command(ahci, number, (unsigned)__builtin_ctz(rest));
	issue_waiting(ahci, number, scope);
}

/* For a queued command the device clears PxCI when it has taken it; one that waits here has not been. */
static uint32_t visible_ci(struct ahci *ahci, unsigned number)
{
	struct port *port = &ahci->port[number];
	uint32_t taken = port->guest_ci & port->issued_ncq;

	if (taken)
		port->guest_ci &= ~(taken & ~get(ahci, number, PORT_CI));
	return port->guest_ci;
}

static uint32_t read_mediated(struct ahci *ahci, unsigned number, uint32_t reg)
{
	struct port *port = &ahci->port[number];
	struct cipher_scope scope = {.saved = false};
	uint32_t value;

	port_lock(&port->lock);
	switch (reg) {
	case PORT_CLB:
		value = (uint32_t)port->guest_clb;
		break;
	case PORT_CLBU:
		value = (uint32_t)(port->guest_clb >> 32);
		break;
	case PORT_FB:
		value = (uint32_t)port->guest_fb;
		break;
	case PORT_FBU:
		value = (uint32_t)(port->guest_fb >> 32);
		break;
	case PORT_SACT:
		collect(ahci, number, &scope);
		value = port->guest_sact;
		break;
	case PORT_CI:
		collect(ahci, number, &scope);
		value = visible_ci(ahci, number);
		break;
	case PORT_FBS:
		value = 0;
		break;
	default:
		/* The register first: whatever it implies has been collected when the guest sees it. */
		do
			value = reg >= PORT_VENDOR ? 0 : get(ahci, number, reg);
		while (collect(ahci, number, &scope));
		if (reg == PORT_CMD)
			settle_stop(ahci, number, value);
		if (reg == PORT_TFD || reg == PORT_IS)
			collect_fis(port);
	}
	cipher_end(&scope);
	port_unlock(&port->lock);
	return value;
}

uint32_t port_read(struct ahci *ahci, unsigned number, uint32_t reg)
{
	if (!ahci->port[number].implemented)
		return 0;
	return ahci->port[number].map ? read_mediated(ahci, number, reg) : get(ahci, number, reg);
}

static void set_half(uint64_t *address, unsigned high, uint32_t value, uint32_t mask)
{
	if (high)
		*address = (uint32_t)*address | (uint64_t)value << 32;
	else
		*address = (*address & ~0xffffffffull) | (value & mask);
}

/* The addresses are kept, the device is given ours; ports that are not mediated get the guest's. */
static void write_address(struct ahci *ahci, unsigned number, uint32_t reg, uint32_t value)
{
	struct port *port = &ahci->port[number];

	if (reg == PORT_CLB || reg == PORT_CLBU)
		set_half(&port->guest_clb, reg == PORT_CLBU, value, ~0x3ffu);
	else
		set_half(&port->guest_fb, reg == PORT_FBU, value, ~0xffu);
	if (!port->map)
		put(ahci, number, reg, value);
	copy_mark_stale(ahci, number);
}

static void write_locked(struct ahci *ahci, unsigned number, uint32_t reg, uint32_t value,
	struct cipher_scope *scope)
{
	struct port *port = &ahci->port[number];

	switch (reg) {
	case PORT_CLB:
	case PORT_CLBU:
	case PORT_FB:
	case PORT_FBU:
		write_address(ahci, number, reg, value);
		return;
	case PORT_CMD:
		write_cmd(ahci, number, value, scope);
		copy_mark_stale(ahci, number);
		return;
	case PORT_IS:
		/* The device first: what finishes later sets the bit again. */
		put(ahci, number, reg, value);
		collect(ahci, number, scope);
		return;
	}
	if (!port->map) {
		put(ahci, number, reg, value);
		copy_mark_stale(ahci, number);
		return;
	}
	switch (reg) {
	case PORT_SACT:
		/* Announced to the device together with PxCI. */
		if (port->running)
			port->guest_sact |= value;
		copy_show_commands(ahci, number);
		return;
	case PORT_CI:
		write_ci(ahci, number, value, scope);
		return;
	case PORT_IE:
	case PORT_SCTL:
	case PORT_SERR:
	case PORT_SNTF:
	case PORT_DEVSLP:
		put(ahci, number, reg, value);
		copy_mark_stale(ahci, number);
		return;
	}
}

static bool disarms_all(uint32_t reg)
{
	return reg == PORT_CMD || reg == PORT_SCTL || reg <= PORT_FBU;
}

void port_write(struct ahci *ahci, unsigned number, uint32_t reg, uint32_t value)
{
	struct port *port = &ahci->port[number];
	struct cipher_scope scope = {.saved = false};

	if (!port->implemented)
		return;
	port_lock(&port->lock);
	write_locked(ahci, number, reg, value, &scope);
	cipher_end(&scope);
	port_unlock(&port->lock);
	if (reg == PORT_IS)
		copy_after_port_is(ahci, number, value);
	else if (disarms_all(reg))
		copy_disarm_all(ahci);
	else
		copy_disarm_self(ahci);
}
