/* SPDX-License-Identifier: Apache-2.0 */
/* The log ring, read by `underseal log`; log_error() and friends come from the storage port. */
#ifndef HV_CORE_LOG_H
#define HV_CORE_LOG_H

#include "hv/core/log_area.h"
#include "storage/port.h"

/*
 * Before the first line, with an area that log_area_rotate() has prepared.
 * `debug_console`: text also goes to port 0x402, and debug lines are kept.
 */
void log_init(struct log_area *area, bool debug_console);

/* As log_ring_read(), of this start's log. Any context. */
uint32_t log_read(uint64_t *sequence, void *out, uint32_t bytes);

/* The log of the start before, or NULL. Constant. */
const struct log_ring *log_previous(void);

/* Notes how this start ends, and brings the log from the caches to memory. `panic` is 0 for other ends. */
void log_end(enum log_end end, uint32_t panic);

/* From here on lines are written without the lock: a CPU that was stopped may hold it. */
void log_panicking(void);

/* For a line a guest can repeat at will: true for the first 16 calls on `count`, which it advances. */
bool log_limited(uint32_t *count);

#endif
