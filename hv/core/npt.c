/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/core/npt.h"

#include <string.h>

#define PAGE_BYTES 4096u
#define ENTRIES	   512u
#define ROOT_LEVEL 4u /* levels: 4 PML4, 3 PDPT, 2 PD, 1 PT */

/* What all formats have in common; a page that cannot be read is not present. */
#define ENTRY_PRESENT  (1ull << 0)
#define ENTRY_WRITE    (1ull << 1)
#define ENTRY_LARGE    (1ull << 7)
#define ENTRY_SHARED   (1ull << 52) /* ours, processors ignore it: the table below serves other ranges too */
#define ENTRY_ADDRESS  0x000ffffffffff000ull

/* One mapping request. It runs twice over the tree: dry, to count the tables it takes, then for good. */
struct job {
	struct npt *npt;
	uint64_t gpa, hpa; /* first byte of the range, and what it maps to */
	uint64_t *shared;  /* a table full of `hpa`, or NULL */
	unsigned access;
	bool same;
	bool dry;
	uint32_t tables; /* counted by the dry run */
};

static unsigned level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static uint64_t level_bytes(unsigned level)
{
	return 1ull << level_shift(level);
}

static unsigned level_index(uint64_t gpa, unsigned level)
{
	return (gpa >> level_shift(level)) & (ENTRIES - 1);
}

static bool is_table(uint64_t entry, unsigned level)
{
	return level > 1 && (entry & ENTRY_PRESENT) && !(entry & ENTRY_LARGE);
}

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ENTRY_ADDRESS);
}

static void entry_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(
		entry, value, __ATOMIC_RELEASE); /* the table it names is written before it is reachable */
}

/* The format's bits for the memory type of a page; negative when it has several. */
static int64_t memory_type(const struct npt *npt, uint64_t hpa, unsigned level)
{
	return npt->format->memory_type ? npt->format->memory_type(hpa, level_bytes(level)) : 0;
}

static uint64_t leaf(const struct npt *npt, uint64_t hpa, unsigned access, unsigned level)
{
	if (!(access & NPT_READ))
		return 0;
	uint64_t entry = hpa | npt->format->page | (uint64_t)memory_type(npt, hpa, level);
	if (access & NPT_WRITE)
		entry |= ENTRY_WRITE;
	entry |= access & NPT_EXECUTE ? npt->format->execute : npt->format->no_execute;
	if (level > 1)
		entry |= ENTRY_LARGE;
	return entry;
}

static uint64_t *pool_take(struct npt_pool *pool)
{
	uint64_t *page = (uint64_t *)(pool->base + (uint64_t)pool->used++ * PAGE_BYTES);
	memset(page, 0, PAGE_BYTES);
	return page;
}

/* Fills a new table with what `entry` of the level above maps. */
static void table_fill(uint64_t *table, uint64_t entry, unsigned level)
{
	if (is_table(entry, level)) {
		memcpy(table, table_of(entry), PAGE_BYTES);
	} else if (entry & ENTRY_PRESENT) {
		uint64_t first = level == 2 ? entry & ~ENTRY_LARGE : entry;
		for (unsigned i = 0; i < ENTRIES; i++)
			table[i] = first + i * level_bytes(level - 1);
	}
}

/* The table below `entry`, made when there is none of its own. NULL in a dry run that would make one. */
static uint64_t *descend(struct job *job, uint64_t *entry, uint64_t old, unsigned level)
{
	if (is_table(old, level) && !(old & ENTRY_SHARED))
		return table_of(old);
	if (job->dry) {
		job->tables++;
		return NULL;
	}
	uint64_t *table = pool_take(job->npt->pool);
	table_fill(table, old, level);
	entry_set(entry, (uint64_t)(uintptr_t)table | job->npt->format->table);
	return table;
}

static uint64_t target(const struct job *job, uint64_t gpa)
{
	return job->same ? job->hpa : job->hpa + (gpa - job->gpa);
}

/* Whether a page of `level` can map `gpa`, the start of such a page that lies in the range as a whole. */
static bool leaf_fits(const struct job *job, uint64_t gpa, unsigned level)
{
	if (level == 1)
		return true;
	if (level == ROOT_LEVEL || (level == 3 && !job->npt->format->huge_pages))
		return false;
	if (!(job->access & NPT_READ))
		return true;
	return !job->same && target(job, gpa) % level_bytes(level) == 0 &&
	       memory_type(job->npt, target(job, gpa), level) >= 0;
}

/* A table full of the same page, and the entry that links it. Made once for a job, kept for the next. */
static uint64_t shared_entry(struct job *job)
{
	struct npt *npt = job->npt;
	uint64_t page = leaf(npt, job->hpa, job->access, 1);

	if (!job->shared && npt->same_table && npt->same_table[0] == page)
		job->shared = npt->same_table;
	if (!job->shared && job->dry) {
		job->tables++;
		job->shared = npt->root; /* any value: it has been counted */
	}
	if (!job->shared) {
		job->shared = pool_take(npt->pool);
		for (unsigned i = 0; i < ENTRIES; i++)
			job->shared[i] = page;
		npt->same_table = job->shared;
	}
	return (uint64_t)(uintptr_t)job->shared | npt->format->table | ENTRY_SHARED;
}

/* Applies the job to [gpa, end) below `table`, which is NULL in a dry run where the table does not exist yet.
 */
static void apply(struct job *job, uint64_t *table, unsigned level, uint64_t gpa, uint64_t end)
{
	for (uint64_t next; gpa < end; gpa = next) {
		next = (gpa | (level_bytes(level) - 1)) + 1;
		if (next > end)
			next = end;
		uint64_t *entry = table ? &table[level_index(gpa, level)] : NULL;
		uint64_t old = entry ? *entry : 0;
		bool whole = next - gpa == level_bytes(level);
		bool own_table = is_table(old, level) && !(old & ENTRY_SHARED);
		uint64_t value;

		if (whole && !own_table && leaf_fits(job, gpa, level)) {
			value = leaf(job->npt, target(job, gpa), job->access, level);
		} else if (whole && !own_table && job->same && level == 2) {
			value = shared_entry(job);
		} else {
			apply(job, descend(job, entry, old, level), level - 1, gpa, next);
			continue;
		}
		if (!job->dry)
			entry_set(entry, value);
	}
}

/* Takes at most `tables`. */
static int run(struct job *job, uint64_t bytes, uint32_t tables)
{
	struct npt_pool *pool = job->npt->pool;

	if ((job->gpa | job->hpa | bytes) % PAGE_BYTES || job->gpa >= NPT_LIMIT ||
		bytes > NPT_LIMIT - job->gpa || (job->hpa & ~ENTRY_ADDRESS) ||
		(!job->same && bytes > ENTRY_ADDRESS - job->hpa))
		return -1;
	job->dry = true;
	apply(job, job->npt->root, ROOT_LEVEL, job->gpa, job->gpa + bytes);
	if (job->tables > tables || job->tables > pool->pages - pool->used)
		return -1;
	job->dry = false;
	job->shared = NULL;
	apply(job, job->npt->root, ROOT_LEVEL, job->gpa, job->gpa + bytes);
	return 0;
}

void npt_pool_init(struct npt_pool *pool, void *base, uint32_t pages)
{
	*pool = (struct npt_pool){.base = base, .pages = pages};
}

int npt_init(struct npt *npt, struct npt_pool *pool, uint64_t limit, const struct npt_format *format)
{
	if (pool->used == pool->pages)
		return -1;
	uint32_t before = pool->used;
	*npt = (struct npt){.root = pool_take(pool), .pool = pool, .format = format};
	int err = npt_map(npt, 0, limit, 0, NPT_ALL);
	if (err)
		pool->used = before;
	return err;
}

int npt_map(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access)
{
	uint32_t any = UINT32_MAX;

	return npt_map_limited(npt, gpa, bytes, hpa, access, &any);
}

int npt_map_limited(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access, uint32_t *tables)
{
	struct job job = {.npt = npt, .gpa = gpa, .hpa = hpa, .access = access};

	if (run(&job, bytes, *tables))
		return -1;
	*tables -= job.tables;
	return 0;
}

int npt_map_same(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access)
{
	struct job job = {.npt = npt, .gpa = gpa, .hpa = hpa, .access = access, .same = true};
	return run(&job, bytes, UINT32_MAX);
}

struct npt_translation npt_lookup(const struct npt *npt, uint64_t gpa)
{
	const uint64_t *table = npt->root;
	unsigned level = ROOT_LEVEL;
	uint64_t entry = gpa < NPT_LIMIT ? table[level_index(gpa, level)] : 0;

	while (is_table(entry, level)) {
		level--;
		entry = table_of(entry)[level_index(gpa, level)];
	}
	struct npt_translation found = {.page_bytes = level_bytes(level)};
	if (!(entry & ENTRY_PRESENT))
		return found;
	found.hpa = (entry & ENTRY_ADDRESS & ~(found.page_bytes - 1)) | (gpa & (found.page_bytes - 1));
	found.access = NPT_READ | (entry & ENTRY_WRITE ? NPT_WRITE : 0);
	if ((entry & (npt->format->execute | npt->format->no_execute)) == npt->format->execute)
		found.access |= NPT_EXECUTE;
	return found;
}
