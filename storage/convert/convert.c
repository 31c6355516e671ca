/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/convert/convert.h"
#include "storage/convert/torn.h"
#include "storage/port.h"

/* Bytes read, encrypted and written at once. */
#define RUN_BYTES (256u << 10)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Checksums of `bytes` of volume; the last unit may be short. */
static size_t sums_bytes(const struct convert *c, uint64_t bytes)
{
	return (bytes + c->unit - 1) / c->unit * SUM_BYTES;
}

size_t convert_zone_bytes(uint64_t wanted, uint64_t area_bytes, uint32_t unit)
{
	uint64_t fits = area_bytes / SUM_BYTES * unit;
	uint64_t zone = least(wanted, fits);

	return zone - zone % unit;
}

int convert_check(const struct convert *c)
{
	const struct convert_state *s = &c->state;

	if (c->sector_size < CONVERT_PIECE || c->sector_size > CONVERT_UNIT_MAX ||
		(c->sector_size & (c->sector_size - 1)))
		return CONVERT_EINVAL;
	if (c->unit < c->sector_size || c->unit > CONVERT_UNIT_MAX || c->unit % c->sector_size)
		return CONVERT_EINVAL;
	if (!c->zone_bytes || c->zone_bytes % c->unit || sums_bytes(c, c->zone_bytes) > c->area_bytes)
		return CONVERT_EINVAL;
	if (!c->bytes || c->bytes % c->sector_size)
		return CONVERT_EINVAL;
	if (s->done > c->bytes || s->hot > c->bytes - s->done || s->hot > c->zone_bytes)
		return CONVERT_EINVAL;
	/* Only the last unit of the volume may be short. */
	if (s->done % c->unit && s->done != c->bytes)
		return CONVERT_EINVAL;
	if (s->hot % c->unit && s->done + s->hot != c->bytes)
		return CONVERT_EINVAL;
	return 0;
}

static int move(struct convert *c, uint64_t offset, uint8_t *buffer, uint64_t bytes, int writing)
{
	const struct convert_port *port = c->port;

	while (bytes) {
		size_t run = least(bytes, RUN_BYTES);
		int err = writing ? port->write(port->context, CONVERT_DATA, offset, buffer, run)
				  : port->read(port->context, CONVERT_DATA, offset, buffer, run);
		if (err)
			return CONVERT_EIO;
		offset += run;
		buffer += run;
		bytes -= run;
	}
	return 0;
}

static void encrypt(const struct convert *c, uint64_t offset, uint8_t *buffer, size_t bytes)
{
	struct port_vectors vectors;

	port_vectors_save(&vectors);
	xts_encrypt(c->key, offset / 512, c->sector_size, buffer, buffer, bytes);
	port_vectors_restore(&vectors);
}

/* The checksums of the plaintext in `zone`, durable in the header's area. */
static int store_sums(struct convert *c, uint64_t bytes)
{
	const struct convert_port *port = c->port;

	for (uint64_t at = 0, i = 0; at < bytes; at += c->unit, i++)
		sum_sha256(c->zone + at, least(c->unit, bytes - at), c->sums + i * SUM_BYTES);
	if (port->write(port->context, CONVERT_HEADER, c->area_offset, c->sums, sums_bytes(c, bytes)))
		return CONVERT_EIO;
	return port->sync(port->context, CONVERT_HEADER) ? CONVERT_EIO : 0;
}

static int commit(struct convert *c, uint64_t done, uint64_t hot)
{
	struct convert_state next = {done, hot};

	if (c->port->commit(c->port->context, &next))
		return CONVERT_EIO;
	c->state = next;
	return 0;
}

/*
 * The last zone's checksums tell whoever guesses a sector that he guessed right,
 * so they go before the header becomes an ordinary one. A cut in between leaves
 * the zone in doubt with cleared checksums, which means ciphertext (torn.h). There
 * is no state "all done, not yet ordinary": stock cryptsetup would begin anew.
 */
static int finish(struct convert *c)
{
	const struct convert_port *port = c->port;

	memset(c->zone, 0, c->zone_bytes);
	for (uint64_t at = 0; at < c->area_bytes; at += c->zone_bytes) {
		size_t run = least(c->zone_bytes, c->area_bytes - at);

		if (port->write(port->context, CONVERT_HEADER, c->area_offset + at, c->zone, run))
			return CONVERT_EIO;
	}
	if (port->sync(port->context, CONVERT_HEADER))
		return CONVERT_EIO;
	return commit(c, c->bytes, 0);
}

/* Writes the ciphertext in `zone` home and moves the boundary behind it. */
static int settle(struct convert *c)
{
	uint64_t end = c->state.done + c->state.hot;
	int err = move(c, c->state.done, c->zone, c->state.hot, 1);

	if (err)
		return err;
	if (c->port->sync(c->port->context, CONVERT_DATA))
		return CONVERT_EIO;
	return end < c->bytes ? commit(c, end, 0) : finish(c);
}

static int encrypt_zone(struct convert *c)
{
	uint64_t done = c->state.done;
	uint64_t bytes = least(c->zone_bytes, c->bytes - done);
	int err = move(c, done, c->zone, bytes, 0);

	if (!err)
		err = store_sums(c, bytes);
	if (!err)
		err = commit(c, done, bytes);
	if (err)
		return err;
	encrypt(c, done, c->zone, bytes);
	return settle(c);
}

/* After a cut: turns whatever stands in the zone into ciphertext. */
static int repair_zone(struct convert *c)
{
	const struct convert_port *port = c->port;
	struct convert_state *s = &c->state;
	int err = move(c, s->done, c->zone, s->hot, 0);

	if (err)
		return err;
	if (port->read(port->context, CONVERT_HEADER, c->area_offset, c->sums, sums_bytes(c, s->hot)))
		return CONVERT_EIO;
	for (uint64_t at = 0, i = 0; at < s->hot; at += c->unit, i++) {
		size_t bytes = least(c->unit, s->hot - at);

		if (torn_restore(c, s->done + at, c->zone + at, bytes, c->sums + i * SUM_BYTES)) {
			c->damaged = s->done + at;
			return CONVERT_EDAMAGED;
		}
	}
	encrypt(c, s->done, c->zone, s->hot);
	return settle(c);
}

enum convert_result convert_step(struct convert *c)
{
	int err = c->state.hot ? repair_zone(c) : c->state.done < c->bytes ? encrypt_zone(c) : finish(c);

	if (err)
		return err;
	return c->state.done < c->bytes ? CONVERT_MORE : CONVERT_DONE;
}
