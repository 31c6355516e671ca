/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"

bool tell;

uint64_t draw(struct fuzzer *f)
{
	f->random ^= f->random >> 12;
	f->random ^= f->random << 25;
	f->random ^= f->random >> 27;
	return f->random * 0x2545f4914f6cdd1dull;
}

uint64_t draw_below(struct fuzzer *f, uint64_t bound)
{
	return (draw(f) >> 8) % bound;
}

bool one_in(struct fuzzer *f, uint64_t n)
{
	return !draw_below(f, n);
}

uint64_t draw_address(struct fuzzer *f)
{
	uint64_t scratch = (uint64_t)f->scratch + draw_below(f, SCRATCH_BYTES / 2);

	switch (draw_below(f, 8)) {
	case 0:
		return places.own + draw_below(f, places.own_bytes + 1);
	case 1:
		return places.own + places.own_bytes - 1 - draw_below(f, 4096);
	case 2:
		return places.above_ram + draw_below(f, 1 << 20);
	case 3:
		return LAPIC_PAGE + draw_below(f, 4096);
	case 4:
		return draw(f) | 1ull << 40;
	case 5:
		return (uint64_t)f->scratch + (draw_below(f, SCRATCH_BYTES / 2) & ~0x3ffull);
	case 6:
		return scratch & ~1ull;
	}
	return scratch;
}

uint64_t draw_value(struct fuzzer *f)
{
	switch (draw_below(f, 6)) {
	case 0:
		return 1ull << draw_below(f, 64);
	case 1:
		return draw_below(f, 256);
	case 2:
		return ~draw_below(f, 256);
	case 3:
		return draw_address(f);
	case 4:
		return (uint32_t)draw(f);
	}
	return draw(f);
}

void doing(struct fuzzer *f, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
	f->detail[0] = a;
	f->detail[1] = b;
	f->detail[2] = c;
	f->what = what;
	if (tell)
		print("cpu %u step %lu: %s %lx %lx %lx\n", f->index, f->steps, what, a, b, c);
}

void *window_page(const struct fuzzer *f, unsigned n, uint64_t physical, uint64_t flags)
{
	return window_map(f->index * WINDOW_EACH + n, physical, flags);
}

uint64_t try_access(uint64_t address, unsigned size, bool write, uint64_t *value)
{
	uint8_t code[4], *at = code;
	struct run r;

	if (size == 2)
		*at++ = 0x66;
	if (size == 8)
		*at++ = 0x48;
	*at++ = (uint8_t)((write ? 0x88 : 0x8a) | (size != 1));
	*at++ = 0x03; /* rax, [rbx] */
	run_prepare(&r, NULL);
	r.gpr[0] = write ? *value : 0;
	r.gpr[3] = address;
	run_bytes(&r, code, (unsigned)(at - code));
	*value = r.gpr[0];
	return r.vector;
}

uint64_t try_port(uint16_t port, unsigned size, bool write, uint32_t *value)
{
	uint8_t code[2], *at = code;
	struct run r;

	if (size == 2)
		*at++ = 0x66;
	*at++ = (uint8_t)((write ? 0xee : 0xec) | (size != 1));
	run_prepare(&r, NULL);
	r.gpr[0] = write ? *value : 0;
	r.gpr[2] = port;
	run_bytes(&r, code, (unsigned)(at - code));
	*value = (uint32_t)r.gpr[0];
	return r.vector;
}
