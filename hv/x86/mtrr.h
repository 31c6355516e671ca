/* SPDX-License-Identifier: Apache-2.0 */
/* Memory types by physical address, as the firmware has set them. SDM volume 3, 12.11. */
#ifndef HV_X86_MTRR_H
#define HV_X86_MTRR_H

#include <stdint.h>

enum memory_type {
	MEMORY_UNCACHED = 0,
	MEMORY_WRITE_COMBINING = 1,
	MEMORY_WRITE_THROUGH = 4,
	MEMORY_WRITE_PROTECTED = 5,
	MEMORY_WRITE_BACK = 6,
};

/* Takes note of this CPU's registers. Init only. */
void mtrr_read(void);

/* The type of [address, address + bytes), a page of 4 KiB or a larger power of two; negative: it may have several. */
int mtrr_type(uint64_t address, uint64_t bytes);

#endif
