/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/hostile/hostile.h"
#include "hv/core/hypercall.h"

#define CLASS_AHCI 0x010601u
#define LOG_BYTES  4096u

struct places places;

static uint64_t log_text(char *text, uint64_t bytes)
{
	uint64_t at = 0, count = 0;

	while (count + 16 < bytes) {
		struct hypercall_registers r = {.rax = HYPERCALL_MAGIC, .rbx = HYPERCALL_LOG, .rcx = at};

		if (!hypercall(&r) || r.rax || !r.rcx)
			break;
		memcpy(text + count, &r.rdx, 8);
		memcpy(text + count + 8, &r.rsi, 8);
		count += r.rcx;
		at = r.rbx + r.rcx;
	}
	text[count] = 0;
	return count;
}

static uint64_t number(const char **at, unsigned base)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		unsigned digit = **at >= '0' && **at <= '9'   ? (unsigned)(**at - '0')
				 : **at >= 'a' && **at <= 'f' ? (unsigned)(**at - 'a' + 10)
							      : 99;

		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

/* "..., N MiB at ADDRESS, ..." in the first line of the log. */
static void find_own_memory(void)
{
	static char text[LOG_BYTES];
	static const char mark[] = " MiB at ";
	uint64_t count = log_text(text, sizeof(text));

	for (uint64_t i = 8; i + sizeof(mark) < count; i++) {
		if (memcmp(text + i, mark, sizeof(mark) - 1))
			continue;
		const char *address = text + i + sizeof(mark) - 1, *mib = text + i;

		while (mib[-1] >= '0' && mib[-1] <= '9')
			mib--;
		places.own_bytes = number(&mib, 10) << 20;
		places.own = number(&address, 16);
		return;
	}
	guest_fail("the log does not say where the hypervisor's memory is");
}

void places_find(void)
{
	if (beneath())
		find_own_memory();
	places.above_ram = 1ull << 37;
	places.hba = pci_find_class(CLASS_AHCI);
	if (places.hba < 0)
		guest_fail("no HBA");
	places.abar = pci_config_read(0, (uint8_t)(places.hba >> 3), places.hba & 7, 0x24) & ~0xfffull;
	places.index_port = pci_config_read(0, (uint8_t)(places.hba >> 3), places.hba & 7, 0x20) & 0xffe0;
	places.guarded_first = option_number("guarded_first", 0);
	places.guarded_last = option_number("guarded_last", 0);
	print("own memory = %lx of %lx\nhba = %x at %lx, ports at %x\n", places.own, places.own_bytes, places.hba, places.abar,
	      places.index_port);
}
