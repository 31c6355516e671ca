/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/traps.h"
#include "hv/core/hypercall.h"

#define LOG_BYTES 4096u

/* The two instructions that call a hypervisor, by vendor; a processor knows one of them. */
static const uint8_t calls[2][3] = {{0x0f, 0x01, 0xd9}, {0x0f, 0x01, 0xc1}};

bool hypercall(struct hypercall_gpr *registers)
{
	for (unsigned i = 0; i < 2; i++) {
		struct run r;

		run_prepare(&r, NULL);
		r.gpr[0] = registers->rax;
		r.gpr[3] = registers->rbx;
		r.gpr[1] = registers->rcx;
		r.gpr[2] = registers->rdx;
		r.gpr[6] = registers->rsi;
		run_bytes(&r, calls[i], sizeof(calls[i]));
		if (r.vector != VECTOR_RUN_DONE)
			continue;
		*registers = (struct hypercall_gpr){r.gpr[0], r.gpr[3], r.gpr[1], r.gpr[2], r.gpr[6]};
		return true;
	}
	return false;
}

bool beneath(void)
{
	struct hypercall_gpr r = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_INFO};

	return hypercall(&r) && r.rax == HYPERCALL_OK;
}

void hypercall_known(struct hypercall_gpr *r)
{
	hypercall_instruction(r);
}

static uint64_t log_text(char *text, uint64_t bytes)
{
	uint64_t at = 0, count = 0;

	while (count + 16 < bytes) {
		struct hypercall_gpr r = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_LOG, .rcx = at};

		hypercall_known(&r);
		if (r.rax || !r.rcx)
			break;
		memcpy(text + count, &r.rdx, 8);
		memcpy(text + count + 8, &r.rsi, 8);
		count += r.rcx;
		at = r.rbx + r.rcx;
	}
	text[count] = 0;
	return count;
}

static uint64_t number(const char *at, unsigned base)
{
	uint64_t value = 0;

	for (;; at++) {
		unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
				 : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a' + 10)
							    : 99;

		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

/* "..., N MiB at ADDRESS, ..." in the first line of the log. */
void own_memory(uint64_t *base, uint64_t *bytes)
{
	static char text[LOG_BYTES];
	static const char mark[] = " MiB at ";
	uint64_t count = log_text(text, sizeof(text));

	for (uint64_t i = 8; i + sizeof(mark) < count; i++) {
		const char *mib = text + i;

		if (memcmp(mib, mark, sizeof(mark) - 1))
			continue;
		*base = number(mib + sizeof(mark) - 1, 16);
		while (mib[-1] >= '0' && mib[-1] <= '9')
			mib--;
		*bytes = number(mib, 10) << 20;
		return;
	}
	guest_fail("the log does not say where the hypervisor's memory is");
}

static uint64_t hypercalls_of(uint32_t cpu)
{
	static const char wanted[24] = "hypercall";

	for (uint64_t i = 0;; i++) {
		struct hypercall_gpr r = {HYPERCALL_MAGIC, HYPERCALL_COUNTER, cpu, i, 0};

		hypercall_known(&r);
		if (r.rax)
			return 0;
		if (!memcmp(&r.rcx, wanted, 8) && !memcmp(&r.rdx, wanted + 8, 8) && !memcmp(&r.rsi, wanted + 16, 8))
			return r.rbx;
	}
}

const char *outside(uint32_t index, uint64_t base, uint64_t bytes)
{
	uint64_t before = hypercalls_of(index);

	if (hypercalls_of(index) <= before)
		return "its hypercalls are not counted";
	/* Another word of each page. */
	for (uint64_t page = 0; page < bytes / 4096; page++)
		if (*(volatile uint64_t *)(base + page * 4096 + page % 512 * 8))
			return "it reads the hypervisor's memory";
	return NULL;
}
