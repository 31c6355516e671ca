/* SPDX-License-Identifier: Apache-2.0 */
/* I/O ports: any but those whose owner would rightly do what it is told. */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/paging.h"

#define SLEEP_ENABLE (1u << 13)

static const struct {
	uint16_t first, last;
	const char *why;
} left_out[] = {
	{0x0040, 0x0043, "a timer of a microsecond keeps an emulator busy for good"},
	{0x0060, 0x0064, "resets by keyboard controller: power cases have them"},
	{0x0071, 0x0071, "settings of the firmware"},
	{0x0092, 0x0092, "resets"},
	{0x00b2, 0x00b2, "a system management interrupt, which this firmware has no handler for"},
	{0x03f8, 0x03ff, "the program's own voice"},
	{0x0402, 0x0402, "the hypervisor's voice"},
	{0x0510, 0x051b, "fw_cfg writes to any memory"},
	{0x0600, 0x067f, "power management: sleep states are do_sleep_port()'s; system management interrupts, watchdog"},
	{0x0a00, 0x0a17, "takes memory out"},
	{0x0cc0, 0x0ce3, "takes devices and CPUs out"},
	{0x0cf8, 0x0cff, "do_config() has them"},
	{0x5658, 0x5658, "a monitor's back door"},
};

/* Also what the I/O windows of other devices would do: a disk of the old virtio kind writes to any memory. */
static bool allowed(uint16_t port, unsigned size)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (port <= left_out[i].last && port + size > left_out[i].first)
			return false;
	return port + size <= 0x1000;
}

static uint16_t draw_port(struct fuzzer *f, unsigned size)
{
	uint16_t port;

	do
		port = (uint16_t)draw_below(f, one_in(f, 2) ? 0x1000 : 0x100);
	while (!allowed(port, size));
	return port;
}

void do_port(struct fuzzer *f)
{
	unsigned size = 1u << draw_below(f, 3);
	uint16_t port = draw_port(f, size);
	uint32_t value = (uint32_t)draw_value(f);
	bool write = one_in(f, 2);

	doing(f, write ? "out" : "in", port, size, value);
	try_port(port, size, write, &value);
}

/* INS and OUTS with memory wherever, at trapped ports and others; a direction, a count, a prefix. */
void do_string_port(struct fuzzer *f)
{
	static const uint16_t readable[] = {0xcf8, 0xcfa, 0xcfc, 0xcfe, 0xcff, 0x604, 0x64, 0x61, 0xcf9};
	bool in = one_in(f, 2), again = one_in(f, 2);
	unsigned size = 1u << draw_below(f, 3);
	uint16_t port = in ? readable[draw_below(f, sizeof(readable) / sizeof(readable[0]))] : draw_port(f, 4);
	uint8_t code[4], *at = code;
	struct run r;

	run_prepare(&r, NULL);
	r.gpr[1] = draw_below(f, 64);
	r.gpr[2] = port;
	r.gpr[6] = r.gpr[7] = one_in(f, 4) ? (uint64_t)window_page(f, 0, places.own, PAGE_ALL) + 4090
					   : (uint64_t)f->scratch + 4000 + draw_below(f, 96);
	r.rflags |= one_in(f, 4) ? RFLAGS_DF : 0;
	if (one_in(f, 4))
		*at++ = 0x67;
	if (again)
		*at++ = 0xf3;
	if (size == 2)
		*at++ = 0x66;
	*at++ = (uint8_t)((in ? 0x6c : 0x6e) | (size != 1));
	doing(f, in ? "ins" : "outs", port, size, r.gpr[7]);
	run_bytes(&r, code, (unsigned)(at - code));
}

/* Left out: sleep types that the machine has, but for those that the hypervisor refuses. */
void do_sleep_port(struct fuzzer *f)
{
	static const uint8_t refused[] = {1, 3, 4, 5, 6, 7};
	uint32_t type = refused[draw_below(f, sizeof(refused))];
	uint32_t value = type << 10 | (one_in(f, 2) ? SLEEP_ENABLE : 0) | (draw_below(f, 2) & 1);
	bool high = one_in(f, 3);

	if (!places.own)
		return;
	value = high ? value >> 8 : value;
	doing(f, "pm1 control", machine.pm1a_control + high, value, 0);
	try_port((uint16_t)(machine.pm1a_control + high), high ? 1 : one_in(f, 2) ? 2 : 4, true, &value);
}
