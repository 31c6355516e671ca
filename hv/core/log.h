/* SPDX-License-Identifier: Apache-2.0 */
/* The log ring, read by `underseal log`; log_error() and friends come from the storage port. */
#ifndef HV_CORE_LOG_H
#define HV_CORE_LOG_H

#include "storage/port.h"

/* Before the first line. `debug_console`: text also goes to port 0x402, and debug lines are kept. */
void log_init(bool debug_console);

/*
 * Copies up to `bytes` of text from byte number `*sequence` on (moved up to the
 * oldest byte still held); returns how many. Any context.
 */
uint32_t log_read(uint64_t *sequence, void *out, uint32_t bytes);

/* For a line a guest can repeat at will: true for the first 16 calls on `count`, which it advances. */
bool log_limited(uint32_t *count);

#endif
