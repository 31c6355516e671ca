/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/convert/pair.h"
#include "storage/port.h"

/* LUKS2 On-Disk Format Specification 1.1.1, section 2.1; numbers are big endian. */
struct binary_header {
	uint8_t magic[6];
	uint8_t version[2];
	uint8_t copy_bytes[8];
	uint8_t sequence[8];
	uint8_t label[48];
	char sum_algorithm[32];
	uint8_t salt[64];
	char uuid[40];
	uint8_t subsystem[48];
	uint8_t offset[8];
	uint8_t reserved[184];
	uint8_t sum[64];
	uint8_t padding[PAIR_BINARY_BYTES - 512];
};
_Static_assert(sizeof(struct binary_header) == PAIR_BINARY_BYTES, "LUKS2 binary header");
_Static_assert(offsetof(struct binary_header, sum) == 448, "LUKS2 checksum field");

static const uint8_t magics[2][6] = {
	{'L', 'U', 'K', 'S', 0xba, 0xbe},
	  {'S', 'K', 'U', 'L', 0xba, 0xbe}
};

/* The only offsets at which the second copy may stand (section 2.4). */
static const uint32_t copy_sizes[] = {
	0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000};

static uint64_t load64(const uint8_t *p)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | p[i];
	return value;
}

static void store64(uint8_t *p, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		p[i] = value;
}

/* The checksum covers the whole copy with its own field zeroed; the field's value is kept. */
static void sum_of(uint8_t *image, size_t bytes, uint8_t digest[SUM_BYTES])
{
	struct binary_header *h = (struct binary_header *)image;
	uint8_t kept[sizeof h->sum];

	memcpy(kept, h->sum, sizeof kept);
	memset(h->sum, 0, sizeof h->sum);
	sum_sha256(image, bytes, digest);
	memcpy(h->sum, kept, sizeof kept);
}

static int copy_size_known(uint64_t bytes)
{
	for (size_t i = 0; i < sizeof copy_sizes / sizeof *copy_sizes; i++)
		if (copy_sizes[i] == bytes)
			return 1;
	return 0;
}

/* Reads the copy at `offset` into the image; returns whether it is valid. `bytes` 0: any size. */
static int read_copy(struct header_pair *pair, const struct convert_port *port, unsigned which,
	uint64_t offset, uint64_t bytes)
{
	struct binary_header *h = (struct binary_header *)pair->image;
	uint8_t digest[SUM_BYTES];

	if (port->read(port->context, CONVERT_HEADER, offset, h, sizeof *h))
		return 0;
	if (memcmp(h->magic, magics[which], sizeof h->magic) || h->version[0] || h->version[1] != 2)
		return 0;
	if (strncmp(h->sum_algorithm, "sha256", sizeof h->sum_algorithm) || load64(h->offset) != offset)
		return 0;
	if (h->uuid[sizeof h->uuid - 1])
		return 0;
	if (!bytes)
		bytes = load64(h->copy_bytes);
	if (load64(h->copy_bytes) != bytes || !copy_size_known(bytes) || bytes > pair->capacity)
		return 0;
	if (port->read(port->context, CONVERT_HEADER, offset + sizeof *h, pair->image + sizeof *h,
		    bytes - sizeof *h))
		return 0;
	sum_of(pair->image, bytes, digest);
	return !memcmp(h->sum, digest, sizeof digest);
}

static uint64_t image_sequence(const struct header_pair *pair)
{
	return load64(((const struct binary_header *)pair->image)->sequence);
}

/* Looks for a second copy where the first cannot say where it stands. */
static size_t find_second(struct header_pair *pair, const struct convert_port *port)
{
	for (size_t i = 0; i < sizeof copy_sizes / sizeof *copy_sizes; i++)
		if (copy_sizes[i] <= pair->capacity && read_copy(pair, port, 1, copy_sizes[i], copy_sizes[i]))
			return copy_sizes[i];
	return 0;
}

int pair_read(struct header_pair *pair, const struct convert_port *port)
{
	uint64_t sequence[2] = {0, 0};

	if (pair->capacity < PAIR_COPY_MIN)
		return -1;
	pair->copy_bytes = 0;
	pair->valid[0] = read_copy(pair, port, 0, 0, 0);
	if (pair->valid[0]) {
		pair->copy_bytes = load64(((struct binary_header *)pair->image)->copy_bytes);
		sequence[0] = image_sequence(pair);
		pair->valid[1] = read_copy(pair, port, 1, pair->copy_bytes, pair->copy_bytes);
	} else {
		pair->copy_bytes = find_second(pair, port);
		pair->valid[1] = pair->copy_bytes != 0;
	}
	if (pair->valid[1])
		sequence[1] = image_sequence(pair);
	if (!pair->valid[0] && !pair->valid[1])
		return -1;
	pair->stale = !pair->valid[0] || !pair->valid[1] || sequence[0] != sequence[1];
	pair->newest = !pair->valid[0] || (pair->valid[1] && sequence[1] > sequence[0]);
	pair->sequence = sequence[pair->newest];
	if (!pair->newest && !read_copy(pair, port, 0, 0, pair->copy_bytes))
		return -1;
	return 0;
}

const char *pair_json(const struct header_pair *pair)
{
	return (const char *)pair->image + PAIR_BINARY_BYTES;
}

size_t pair_json_capacity(const struct header_pair *pair)
{
	return pair->copy_bytes - PAIR_BINARY_BYTES;
}

const char *pair_uuid(const struct header_pair *pair)
{
	return ((const struct binary_header *)pair->image)->uuid;
}

static int write_copy(struct header_pair *pair, const struct convert_port *port, unsigned which)
{
	struct binary_header *h = (struct binary_header *)pair->image;
	uint64_t offset = which ? pair->copy_bytes : 0;

	memcpy(h->magic, magics[which], sizeof h->magic);
	store64(h->offset, offset);
	memset(h->sum, 0, sizeof h->sum);
	sum_sha256(pair->image, pair->copy_bytes, h->sum);
	if (port->write(port->context, CONVERT_HEADER, offset, pair->image, pair->copy_bytes))
		return -1;
	/* Durable before the other copy, the last one that is surely valid, is overwritten. */
	return port->sync(port->context, CONVERT_HEADER);
}

int pair_write(struct header_pair *pair, const struct convert_port *port, const char *json, size_t bytes)
{
	struct binary_header *h = (struct binary_header *)pair->image;
	unsigned first = !pair->newest;

	/* The text ends with at least one NUL (section 2.3). */
	if (bytes >= pair_json_capacity(pair))
		return -1;
	memcpy(pair->image + PAIR_BINARY_BYTES, json, bytes);
	memset(pair->image + PAIR_BINARY_BYTES + bytes, 0, pair_json_capacity(pair) - bytes);
	store64(h->sequence, pair->sequence + 1);
	if (write_copy(pair, port, first))
		return -1;
	pair->newest = first;
	pair->sequence++;
	if (write_copy(pair, port, !first))
		return -1;
	pair->newest = !first;
	pair->stale = 0;
	return 0;
}
