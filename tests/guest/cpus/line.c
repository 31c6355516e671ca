/* SPDX-License-Identifier: Apache-2.0 */
/* INIT by an interrupt line: the timer of the PC, through an entry of the I/O APIC. */
#include "tests/guest/cpus/states.h"

#define IO_APIC     0xfec00000ull /* where every PC has the first one */
#define IO_WINDOW   0x10
#define ENTRY(pin)  (0x10 + 2 * (pin))
#define TIMER_PIN   2 /* of the first I/O APIC; the MADT's override of line 0 says so */
#define MASKED      (1u << 16)
#define INIT        (5u << 8)
#define TIMER_DATA  0x40
#define TIMER_MODE  0x43
#define RATE        0x34 /* counter 0, both bytes, a pulse each time it has counted down */
#define COUNT       11932 /* 10 ms */
#define LINE_US     300000

static void write_entry(unsigned pin, uint8_t destination, uint32_t low)
{
	volatile uint32_t *io_apic = (volatile uint32_t *)IO_APIC;

	io_apic[0] = ENTRY(pin) + 1;
	io_apic[IO_WINDOW / 4] = (uint32_t)destination << 24;
	io_apic[0] = ENTRY(pin);
	io_apic[IO_WINDOW / 4] = low;
}

static void start_timer(void)
{
	port_out(TIMER_MODE, 1, RATE);
	port_out(TIMER_DATA, 1, COUNT & 0xff);
	port_out(TIMER_DATA, 1, COUNT >> 8);
}

bool line_inits(struct cpu *cpu)
{
	uint64_t before = progress[cpu->index], after;

	state_enter(cpu, STATE_RUNS);
	if (!WAIT_UNTIL(progress[cpu->index] > before, 5 * LINE_US))
		guest_fail("cpu %u does not get to work", cpu->index);
	start_timer();
	write_entry(TIMER_PIN, (uint8_t)cpu->apic_id, MASKED);
	write_entry(TIMER_PIN, (uint8_t)cpu->apic_id, INIT);
	wait_us(LINE_US);
	write_entry(TIMER_PIN, (uint8_t)cpu->apic_id, MASKED);
	after = progress[cpu->index];
	return !WAIT_UNTIL(progress[cpu->index] > after, LINE_US);
}
