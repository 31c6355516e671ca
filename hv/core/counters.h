/* SPDX-License-Identifier: Apache-2.0 */
/* The names of what is counted on each CPU: exits by reason, then what else. */
#ifndef HV_CORE_COUNTERS_H
#define HV_CORE_COUNTERS_H

#include "hv/core/vcpu.h"

#define COUNTERS           (EXIT_REASONS + EXTRA_COUNTERS)
#define COUNTER_NAME_BYTES 24

/* NUL padded; by enum exit_reason, then EXIT_REASONS + enum extra_counter. */
extern const char counter_names[COUNTERS][COUNTER_NAME_BYTES];

#endif
