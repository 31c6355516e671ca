/* SPDX-License-Identifier: Apache-2.0 */
/* An external interrupt that waits at an entry: when it exits, when the code takes it, and where it is then. */
#include "tests/guest/vmx/vmx.h"
#include "tests/guest/lib/traps.h"

#define VECTOR             0x62
#define INTERRUPTION_VALID (1ull << 31)

static bool has(uint32_t first, unsigned vector)
{
	return lapic_read(first + vector / 32 * 16) >> vector % 32 & 1;
}

static bool waits(uint32_t first)
{
	return has(first, VECTOR);
}

static bool take(struct trap_frame *frame)
{
	(void)frame;
	lapic_write(LAPIC_EOI, 0);
	return true;
}

static void look_around(void)
{
	for (unsigned i = 0; i < 1000; i++)
		cpu_pause();
	vmx_leave();
}

static void open(void)
{
	__asm__ volatile("sti; nop; nop; cli");
	vmx_leave();
}

static void one(const char *name, struct trial trial)
{
	volatile uint64_t *count = &this_cpu()->count[VECTOR];
	const uint64_t before = *count;

	lapic_send(this_cpu()->apic_id, ICR_ASSERT | VECTOR);
	vmx_try(&trial);
	print("%s, IF %u = exit %u%s, %lu taken, IRR %u, ISR %u\n", name, trial.interrupts, trial.reason,
		trial.reason != VMX_EXIT_INTERRUPT           ? ""
		: trial.information == (INTERRUPTION_VALID | VECTOR) ? " with its vector"
							     : " without vector",
		*count - before, waits(LAPIC_IRR), waits(LAPIC_ISR));
	if (waits(LAPIC_ISR))
		lapic_write(LAPIC_EOI, 0);
	__asm__ volatile("sti; nop; nop; cli");
}

void theme_interrupts(void)
{
	trap_handlers[VECTOR] = take;
	vmx_on();
	for (unsigned i = 0; i < 2; i++) {
		const struct trial plain = {.code = look_around, .interrupts = i};
		struct trial trial = plain;

		one("no exits", trial);
		trial.pin = PIN_INTERRUPT;
		one("exits", trial);
		trial.code = open;
		one("exits, STI", trial);
		trial.code = look_around;
		trial.exit = EXIT_CONTROL_ACKNOWLEDGE;
		one("exits acknowledge", trial);
		trial.activity = ACTIVITY_HALTED;
		if (i) /* else Bochs sleeps for good */
			one("exits acknowledge, halted", trial);
		trial = plain;
		trial.primary = PRIMARY_INTERRUPT_WINDOW;
		one("window", trial);
		trial.code = open;
		one("window, STI", trial);
	}
	vmx_off();
}

void theme_spurious(void)
{
	trap_handlers[VECTOR_SPURIOUS] = take;
	lapic_send(this_cpu()->apic_id, ICR_ASSERT | VECTOR_SPURIOUS);
	__asm__ volatile("sti; nop; nop; cli");
	print("the vector for spurious interrupts, EOI = %lu taken, ISR %u\n", this_cpu()->count[VECTOR_SPURIOUS],
		has(LAPIC_ISR, VECTOR_SPURIOUS));
}
