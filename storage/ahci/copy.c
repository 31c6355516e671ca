/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register copy: what an interrupt handler reads without an exit.
 *
 * It is shown to a CPU that reads a nonzero IS while GHC.IE is set, for such a
 * CPU is in an interrupt handler (or polls beside one) and the driver owes a write
 * to IS: without it an HBA raises no further interrupt, so every driver makes it.
 * The bits owed are `unacked`. The copy is taken away from a CPU at its next write
 * other than to PxIS, and from all CPUs when nothing is owed any more, or when a
 * register that starts, stops or resets is written. So what a CPU may miss by
 * reading the copy is bounded by a write that is sure to come, and the event it
 * missed raises an interrupt of its own afterwards. A polling driver (IE clear) is
 * never shown the copy and reads the device each time.
 *
 * The copy never shows a command complete before it has been collected: PxSACT and
 * PxCI in it are the mediator's own, changed under the port's lock, after
 * decryption on the way down and before the doorbell on the way up.
 */
#include "storage/ahci/internal.h"

static uint32_t *word(struct ahci *ahci, uint32_t offset)
{
	return &ahci->copy[offset / 4];
}

static void store(struct ahci *ahci, uint32_t offset, uint32_t value)
{
	__atomic_store_n(word(ahci, offset), value, __ATOMIC_RELEASE);
}

void copy_show_commands(struct ahci *ahci, unsigned number)
{
	const struct port *port = &ahci->port[number];

	store(ahci, port_offset(number, PORT_SACT), port->guest_sact);
	store(ahci, port_offset(number, PORT_CI), port->guest_ci);
}

void copy_mark_stale(struct ahci *ahci, unsigned number)
{
	__atomic_or_fetch(&ahci->stale, 1u << number, __ATOMIC_RELAXED);
}

/* Everything of a port that does not change while it works. */
static void refresh_slow(struct ahci *ahci, unsigned number)
{
	static const uint8_t registers[] = {PORT_IE, PORT_CMD, PORT_SIG, PORT_SSTS, PORT_SCTL, PORT_SERR, PORT_SNTF,
		PORT_DEVSLP};
	const struct port *port = &ahci->port[number];

	for (unsigned i = 0; i < sizeof(registers); i++)
		store(ahci, port_offset(number, registers[i]), device_read(ahci, port_offset(number, registers[i])));
	store(ahci, port_offset(number, PORT_CLB), (uint32_t)port->guest_clb);
	store(ahci, port_offset(number, PORT_CLBU), (uint32_t)(port->guest_clb >> 32));
	store(ahci, port_offset(number, PORT_FB), (uint32_t)port->guest_fb);
	store(ahci, port_offset(number, PORT_FBU), (uint32_t)(port->guest_fb >> 32));
}

/* What changes with each command; returns PxIS. */
static uint32_t refresh_fast(struct ahci *ahci, unsigned number)
{
	uint32_t is = device_read(ahci, port_offset(number, PORT_IS));

	store(ahci, port_offset(number, PORT_IS), is);
	store(ahci, port_offset(number, PORT_TFD), device_read(ahci, port_offset(number, PORT_TFD)));
	if (!ahci->port[number].map) {
		store(ahci, port_offset(number, PORT_SACT), device_read(ahci, port_offset(number, PORT_SACT)));
		store(ahci, port_offset(number, PORT_CI), device_read(ahci, port_offset(number, PORT_CI)));
	}
	return is;
}

static bool was_withdrawn(const struct ahci *ahci, uint32_t since)
{
	return __atomic_load_n(&ahci->withdrawn, __ATOMIC_SEQ_CST) != since;
}

/*
 * Errors are handled by reading many registers that change by themselves: no copy
 * then. Nor when another CPU has acknowledged meanwhile: these bits may be owed no
 * more, and nobody would take the copy away. Whoever withdraws counts first and
 * looks for copies then; here it is shown first and the count looked at then.
 */
void copy_arm_if_owed(struct ahci *ahci, uint32_t is, uint32_t since)
{
	const struct ahci_env *env = ahci->env;

	if (!is || !env->copy_arm)
		return;
	port_lock(&ahci->lock);
	if (was_withdrawn(ahci, since)) {
		port_unlock(&ahci->lock);
		return;
	}
	ahci->unacked |= is;
	bool arm = ahci->ghc & GHC_IE;
	uint32_t stale = __atomic_exchange_n(&ahci->stale, 0, __ATOMIC_RELAXED);

	for (uint32_t rest = stale & ahci->implemented; arm && rest; rest &= rest - 1)
		refresh_slow(ahci, (unsigned)__builtin_ctz(rest));
	if (!arm)
		__atomic_or_fetch(&ahci->stale, stale, __ATOMIC_RELAXED);
	store(ahci, HBA_GHC, ahci->ghc);
	store(ahci, HBA_IS, is);
	for (uint32_t rest = is & ahci->implemented; arm && rest; rest &= rest - 1)
		if (refresh_fast(ahci, (unsigned)__builtin_ctz(rest)) & IS_ERRORS)
			arm = false;
	port_unlock(&ahci->lock);
	if (!arm)
		return;
	env->copy_arm(env->context);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (was_withdrawn(ahci, since))
		copy_disarm_self(ahci);
}

/*
 * PxIS has been written and the port collected: the handler goes on reading the
 * copy. A bit that was set between its read and its write stays set in the device,
 * and raises IS again once that is acknowledged; the copy need not show it, and
 * saves the accesses to the device.
 */
void copy_after_port_is(struct ahci *ahci, unsigned number, uint32_t cleared)
{
	uint32_t offset = port_offset(number, PORT_IS);

	if (!__atomic_load_n(&ahci->unacked, __ATOMIC_RELAXED))
		return;
	port_lock(&ahci->lock);
	if (ahci->port[number].map) {
		store(ahci, offset, *word(ahci, offset) & ~cleared);
		store(ahci, port_offset(number, PORT_TFD), device_read(ahci, port_offset(number, PORT_TFD)));
	} else {
		refresh_fast(ahci, number);
	}
	port_unlock(&ahci->lock);
}

void copy_acknowledge(struct ahci *ahci, uint32_t bits)
{
	port_lock(&ahci->lock);
	ahci->unacked &= ~bits;
	__atomic_add_fetch(&ahci->withdrawn, 1, __ATOMIC_SEQ_CST);
	bool settled = !ahci->unacked;

	port_unlock(&ahci->lock);
	if (settled)
		copy_disarm_all(ahci);
	else
		copy_disarm_self(ahci);
}

void copy_disarm_self(struct ahci *ahci)
{
	if (ahci->env->copy_disarm)
		ahci->env->copy_disarm(ahci->env->context, false);
}

void copy_disarm_all(struct ahci *ahci)
{
	__atomic_add_fetch(&ahci->withdrawn, 1, __ATOMIC_SEQ_CST);
	if (ahci->env->copy_disarm)
		ahci->env->copy_disarm(ahci->env->context, true);
}
