/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/power.h"
#include "hv/core/acpi.h"
#include "hv/core/backend.h"
#include "hv/core/ioport.h"
#include "hv/core/keys.h"
#include "hv/core/log.h"
#include "hv/core/mediator.h"
#include "hv/core/shootdown.h"

#define RESET_CONTROL   0xcf9
#define RESET_FULL      0x06
#define RESET_CPU       (1u << 2)
#define KEYBOARD        0x64
#define KEYBOARD_PULSE  0xf0 /* command F0h..FFh pulses output lines; bit 0 clear: reset */
#define KEYBOARD_DATA   0x60
#define KEYBOARD_OUTPUT 0xd1 /* the next data byte is the output port; its bit 0 clear: reset */
#define SYSTEM_CONTROL  0x92
#define FAST_RESET      (1u << 0)
#define SLEEP_ENABLE    (1u << 13)
#define SLEEP_TYPE(v)   ((v) >> 10 & 7)
#define PANIC_PATIENCE  (1ull << 31) /* TSC ticks: about a second ... */
#define RESET_PATIENCE  (1ull << 26) /* ... and some ten milliseconds */

static bool stopping;
static bool output_port_next; /* at the keyboard controller */

bool power_stopping(void)
{
	return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

/* The others leave the guest and do not enter it again. */
static void stop_others(void)
{
	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (vcpus[i] != this_vcpu() && vcpus[i]->online)
			vcpu_kick(vcpus[i]);
}

void power_stop_all_cpus(void)
{
	stop_others();
	__atomic_store_n(&this_vcpu()->in_guest, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&this_vcpu()->stopped, true, __ATOMIC_SEQ_CST);
	for (;;)
		cpu_halt();
}

static bool others_stopped(void)
{
	for (uint32_t i = 0; i < vcpu_count; i++)
		if (vcpus[i] != this_vcpu() && vcpus[i]->online && !__atomic_load_n(&vcpus[i]->stopped, __ATOMIC_SEQ_CST))
			return false;
	return true;
}

void power_stop_others_in_panic(void)
{
	uint64_t start = rdtsc();

	stop_others();
	while (!others_stopped() && rdtsc() - start < PANIC_PATIENCE)
		cpu_pause();
}

void power_reset_now(void)
{
	port_out(RESET_CONTROL, 1, RESET_FULL & ~RESET_CPU);
	port_out(RESET_CONTROL, 1, RESET_FULL);
	power_stop_all_cpus();
}

/*
 * No CPU may issue I/O any more when the keys go: it would be encrypted with none.
 * INIT brings us here between in_guest and the entry, and who waits for that entry
 * may hold the lock of a mediator that shuts down: there is none.
 */
static void end_guest(void)
{
	__atomic_store_n(&this_vcpu()->in_guest, 0, __ATOMIC_SEQ_CST);
	stop_others();
	for (uint32_t i = 0; i < vcpu_count; i++)
		while (vcpus[i] != this_vcpu() && __atomic_load_n(&vcpus[i]->in_guest, __ATOMIC_SEQ_CST))
			cpu_pause();
	mediators_shutdown();
	keys_wipe();
}

void power_reset(const char *why)
{
	end_guest();
	log_info("power: reset (%s); keys are wiped", why);
	log_end(LOG_END_RESET, 0);
	power_reset_now();
}

/* Some resets reach the CPUs as INIT alone, which is held back where the extension is on: then a full one follows. */
static void await_reset(void)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < RESET_PATIENCE)
		cpu_pause();
	power_reset_now();
}

/* The write that ends the machine: wipe, do it, and never run the guest again. */
static void last_write(enum log_end end, const char *what, uint16_t port, unsigned size, uint32_t value)
{
	end_guest();
	log_info("power: %s; keys are wiped", what);
	log_end(end, 0);
	port_out(port, size, value);
	if (end == LOG_END_RESET)
		await_reset();
	power_stop_all_cpus();
}

static void sleep_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	static uint32_t said;

	(void)context;
	/* A byte write to the upper half carries the enable bit too. */
	uint32_t control = port & 1 ? value << 8 : value;

	if (!(control & SLEEP_ENABLE)) {
		port_out(port, size, value);
		return;
	}
	if (!(acpi_facts.off_types >> SLEEP_TYPE(control) & 1)) {
		if (log_limited(&said))
			log_warning("power: sleep type %u is refused: the system would resume without us",
				    SLEEP_TYPE(control));
		return;
	}
	last_write(LOG_END_POWER_OFF, "the system powers off", port, size, value);
}

static void reset_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	if (value & RESET_CPU)
		last_write(LOG_END_RESET, "the system resets", port, size, value);
	port_out(port, size, value);
}

static void named_reset_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	if (value == acpi_facts.reset_value)
		last_write(LOG_END_RESET, "the system resets", port, size, value);
	port_out(port, size, value);
}

static void keyboard_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	if ((value & KEYBOARD_PULSE) == KEYBOARD_PULSE && !(value & 1))
		last_write(LOG_END_RESET, "the system resets by keyboard controller", port, size, value);
	__atomic_store_n(&output_port_next, value == KEYBOARD_OUTPUT, __ATOMIC_RELAXED);
	port_out(port, size, value);
}

static void keyboard_data_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	if (__atomic_exchange_n(&output_port_next, false, __ATOMIC_RELAXED) && !(value & 1))
		last_write(LOG_END_RESET, "the system resets by keyboard controller", port, size, value);
	port_out(port, size, value);
}

static void fast_reset_write(void *context, uint16_t port, unsigned size, uint32_t value)
{
	(void)context;
	if (value & FAST_RESET)
		last_write(LOG_END_RESET, "the system resets by port 92h", port, size, value);
	port_out(port, size, value);
}

int power_init(void)
{
	static struct ioport_hook sleep_a = {.name = "pm1a", .width = 4, .out = sleep_write};
	static struct ioport_hook sleep_b = {.name = "pm1b", .width = 4, .out = sleep_write};
	static struct ioport_hook named = {.name = "reset", .out = named_reset_write};
	static const struct ioport_hook reset = {.name = "cf9", .first = RESET_CONTROL, .last = RESET_CONTROL,
						 .out = reset_write};
	static const struct ioport_hook keyboard = {.name = "keyboard", .first = KEYBOARD, .last = KEYBOARD,
						    .out = keyboard_write};
	static const struct ioport_hook data = {.name = "keyboard", .first = KEYBOARD_DATA, .last = KEYBOARD_DATA,
						.out = keyboard_data_write};
	static const struct ioport_hook fast = {.name = "port92", .first = SYSTEM_CONTROL, .last = SYSTEM_CONTROL,
						.out = fast_reset_write};
	int error = 0;

	sleep_a.first = acpi_facts.pm1a_control;
	sleep_a.last = (uint16_t)(sleep_a.first + 1);
	sleep_b.first = acpi_facts.pm1b_control;
	sleep_b.last = (uint16_t)(sleep_b.first + 1);
	named.first = named.last = acpi_facts.reset_port;
	if (sleep_a.first)
		error |= ioport_add(&sleep_a);
	if (sleep_b.first)
		error |= ioport_add(&sleep_b);
	if (named.first && named.first != RESET_CONTROL && named.first != KEYBOARD &&
	    named.first != KEYBOARD_DATA && named.first != SYSTEM_CONTROL)
		error |= ioport_add(&named);
	return error | ioport_add(&reset) | ioport_add(&keyboard) | ioport_add(&data) | ioport_add(&fast);
}
