/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of hv/x86/physical.h: the same functions, over the model machine of tests/core/platform.h. */
#ifndef HV_X86_PHYSICAL_H
#define HV_X86_PHYSICAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

uint64_t physical_load(uint64_t address, unsigned size);
void physical_store(uint64_t address, unsigned size, uint64_t value);
bool physical_exchange(uint64_t address, unsigned size, uint64_t expected, uint64_t value);
void physical_copy(void *out, uint64_t address, uint32_t bytes);

#endif
