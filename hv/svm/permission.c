/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR permission maps. APM volume 2, 15.10.1 and 15.11. */
#include "hv/svm/svm.h"

uint8_t svm_iopm[3 * 4096] __attribute__((aligned(4096)));
uint8_t svm_msrpm[2 * 4096] __attribute__((aligned(4096)));

void svm_trap_port(uint16_t first, uint16_t last)
{
	for (uint32_t port = first; port <= last; port++)
		__atomic_or_fetch(&svm_iopm[port / 8], (uint8_t)(1u << port % 8), __ATOMIC_SEQ_CST);
}

/* MSRs outside the three mapped ranges always exit. */
void svm_trap_msr(uint32_t index, bool read, bool write)
{
	uint32_t bit;

	if (index < 0x2000)
		bit = index * 2;
	else if (index >= 0xc0000000 && index < 0xc0002000)
		bit = 0x800 * 8 + (index - 0xc0000000) * 2;
	else if (index >= 0xc0010000 && index < 0xc0012000)
		bit = 0x1000 * 8 + (index - 0xc0010000) * 2;
	else
		return;
	svm_msrpm[bit / 8] |= (uint8_t)((read | write << 1) << bit % 8);
}
