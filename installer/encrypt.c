/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/encrypt.h"
#include "installer/exits.h"
#include "installer/progress.h"
#include "installer/stop.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <stdlib.h>

static int report(const struct volume *v, const struct convert *c, enum convert_result result)
{
	if (result == CONVERT_EDAMAGED)
		log_error("the 4 KiB at byte %llu of partition %u are neither what they were nor their "
			  "ciphertext: "
			  "something else wrote there after the interruption. Nothing more was changed",
			(unsigned long long)c->damaged, v->data.number);
	else if (result == CONVERT_EINVAL)
		log_error("the header's state of encryption does not fit partition %u", v->data.number);
	else
		log_error("stopped by an I/O error; when it is cured, the same command continues");
	return EXITS_FAILED;
}

static int loop(struct volume *v, struct convert *c)
{
	enum convert_result result = CONVERT_MORE;
	struct progress progress;

	progress_start(&progress, c->state.done, c->bytes);
	while (result == CONVERT_MORE && !stop_wanted()) {
		result = convert_step(c);
		if (result == CONVERT_MORE)
			progress_show(&progress, c->state.done);
	}
	progress_end(&progress, c->state.done);
	if (result < 0)
		return report(v, c, result);
	if (result == CONVERT_DONE)
		return EXITS_OK;
	log_info("stopped at a safe point; nothing is lost. The same command continues, and must before the "
		 "partition "
		 "is used again");
	return EXITS_STOPPED;
}

int encrypt_volume(struct volume *v, const struct secrets *secrets, uint64_t zone_bytes)
{
	struct convert c = {
		.port = &v->port,
		.key = &secrets->schedule,
		.bytes = v->bytes,
		.sector_size = v->state.sector_size,
		.unit = v->state.unit,
		.area_offset = v->state.area_offset,
		.area_bytes = v->state.area_bytes,
		.state = v->state.at,
	};
	int err = EXITS_FAILED;

	if (c.unit < CONVERT_PIECE || c.unit > CONVERT_UNIT_MAX)
		return report(v, &c, CONVERT_EINVAL);
	/* A zone left by an earlier run may be larger than ours. */
	if (zone_bytes < c.state.hot)
		zone_bytes = c.state.hot + c.unit;
	c.zone_bytes = convert_zone_bytes(zone_bytes, c.area_bytes, c.unit);
	c.zone = malloc(c.zone_bytes);
	c.sums = malloc(c.zone_bytes / c.unit * SUM_BYTES);
	if (!c.zone || !c.sums)
		log_error("no memory for a zone of %zu MiB", c.zone_bytes >> 20);
	else if (convert_check(&c))
		err = report(v, &c, CONVERT_EINVAL);
	else if (v->pair.stale && volume_commit(v))
		/* Both copies say the same before the checksums of the older one are overwritten. */
		err = report(v, &c, CONVERT_EIO);
	else
		err = loop(v, &c);
	if (c.zone)
		secret_wipe(c.zone, c.zone_bytes);
	free(c.zone);
	free(c.sums);
	return err;
}
