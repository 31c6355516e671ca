/* SPDX-License-Identifier: Apache-2.0 */
/* Segment descriptors. APM volume 2, 4.7; SDM volume 3, 3.4.5. */
#ifndef HV_X86_DESCRIPTOR_H
#define HV_X86_DESCRIPTOR_H

#include "hv/x86/registers.h"
#include "hv/x86/segment.h"

#define SEGMENT_GRANULAR 0x8000u

struct segment segment_of(uint64_t descriptor);

/* What a selector names in a GDT that can be read at its address; false: it is null, or names nothing. */
bool segment_read(const struct descriptor_table *gdt, uint16_t selector, struct segment *out);

#endif
