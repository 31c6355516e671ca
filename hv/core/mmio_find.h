/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of hook handling: which hook a guest-physical address belongs to. */
#ifndef HV_CORE_MMIO_FIND_H
#define HV_CORE_MMIO_FIND_H

#include "hv/core/mmio.h"

/* NULL when none. Any context, no lock. */
struct mmio_hook *mmio_find(uint64_t gpa);

#endif
