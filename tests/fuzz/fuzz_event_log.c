/* SPDX-License-Identifier: Apache-2.0 */
/* Any event log at all: it is read inside its bounds, and what it tells fits together. */
#include "keymgmt/event_log.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct event_log log;

	if (event_log_replay(data, bytes, &log))
		return 0;
	if (log.start.mask != 0xffff || log.end.mask != 0xffff || (log.has_policy && !log.ours) ||
		(!log.ours && memcmp(&log.start, &log.end, sizeof(log.start))))
		abort();
	return 0;
}
