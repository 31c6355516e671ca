/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR bitmaps. SDM volume 3, 25.6.4 and 25.6.9. */
#include "hv/vmx/vmx.h"

#define READ_LOW  0u
#define READ_HIGH 0x400u
#define WRITES    0x800u /* from the reads */
#define HIGH_MSRS 0xc0000000u
#define MSRS      0x2000u

uint8_t vmx_io_bitmaps[2 * 4096] __attribute__((aligned(4096)));
uint8_t vmx_msr_bitmap[4096] __attribute__((aligned(4096)));

void vmx_trap_port(uint16_t first, uint16_t last)
{
	for (uint32_t port = first; port <= last; port++)
		vmx_io_bitmaps[port / 8] |= (uint8_t)(1u << port % 8);
}

/* MSRs outside the two ranges always exit. */
void vmx_trap_msr(uint32_t index, bool read, bool write)
{
	uint32_t bit = index % MSRS, at = (index < MSRS ? READ_LOW : READ_HIGH) + bit / 8;

	if (index >= MSRS && index - HIGH_MSRS >= MSRS)
		return;
	vmx_msr_bitmap[at] |= (uint8_t)(read << bit % 8);
	vmx_msr_bitmap[at + WRITES] |= (uint8_t)(write << bit % 8);
}
