/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested page tables, four levels of 512 entries: guest-physical equals
 * host-physical, mapped with the largest pages that fit, broken down only where
 * something is trapped. One tree per vcpu, so that a CPU can have a view of its
 * own; the trees are equal but for those views.
 *
 * Not locked: the caller holds the nested-paging lock and flushes translations
 * after narrowing (npt_shootdown).
 */
#ifndef HV_CORE_NPT_H
#define HV_CORE_NPT_H

#include <stdbool.h>
#include <stdint.h>

#define NPT_READ    1u
#define NPT_WRITE   2u
#define NPT_EXECUTE 4u
#define NPT_ALL	    (NPT_READ | NPT_WRITE | NPT_EXECUTE)

#define NPT_LIMIT (1ull << 48) /* where the format ends */

/*
 * 4 KiB pages for tables, handed out zeroed from an array. They are never taken
 * back: a CPU may hold a paging-structure translation of a table long after the
 * tree has dropped it, so a table, once linked, serves its range for good. The
 * demand is bounded by the ranges that are ever trapped.
 */
struct npt_pool {
	uint8_t *base; /* page-aligned, identity-mapped */
	uint32_t pages;
	uint32_t used;
};

void npt_pool_init(struct npt_pool *pool, void *base, uint32_t pages);

/*
 * What the entries look like, as the backend's processor wants them. In all formats
 * bit 0 lets read, bit 1 lets write, bit 7 is set in a large page's entry, bits 51:12
 * are the address, and the processor ignores bit 52.
 */
struct npt_format {
	uint64_t table;      /* bits of an entry that names a table, which limits nothing */
	uint64_t page;       /* bits of every page's entry, bit 0 among them */
	uint64_t execute;    /* set where instructions may be fetched ... */
	uint64_t no_execute; /* ... and where not */
	bool huge_pages;     /* 1 GiB pages may be used */
	/*
	 * Bits for the memory type of [hpa, hpa + bytes), a page; negative: it has several,
	 * which 4 KiB have not. The same at each call. NULL where the processor finds it by itself.
	 */
	int64_t (*memory_type)(uint64_t hpa, uint64_t bytes);
};

struct npt {
	uint64_t *root; /* PML4; its physical address is its pointer (hypervisor memory is identity-mapped) */
	struct npt_pool *pool;
	const struct npt_format *format;
	uint64_t *same_table; /* the last shared table made by npt_map_same; a full table is never written
				 again */
};

/*
 * Builds an identity mapping of [0, limit), limit a multiple of 1 GiB, NPT_ALL.
 * 0, or -1 when the pool is short; then the pool is as before. `format` is kept.
 */
int npt_init(struct npt *npt, struct npt_pool *pool, uint64_t limit, const struct npt_format *format);

/*
 * Maps [gpa, gpa+bytes) (4 KiB multiples, below NPT_LIMIT) to hpa onwards with `access`;
 * access 0, or without NPT_READ (not every format can express it), makes the range not
 * present. Splits larger pages as needed, uses the largest that fit where no table
 * exists yet. Returns 0, or -1 when the pool is short or the range does not fit the
 * format; then nothing has changed.
 *
 * A new table is complete before it is linked, and an entry changes by one store:
 * a CPU that walks meanwhile sees each page either as before or as after.
 */
int npt_map(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access);

/* As npt_map, but it takes at most `*tables` pages of the pool, and takes them off; -1 also where it needs more. */
int npt_map_limited(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access, uint32_t *tables);

/*
 * As npt_map, but every 4 KiB page of the range maps the same page at `hpa`. Whole
 * 2 MiB of it share one table, which a later change of a part replaces by a copy.
 */
int npt_map_same(struct npt *npt, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access);

struct npt_translation {
	uint64_t hpa;
	uint64_t page_bytes; /* 4 KiB, 2 MiB, 1 GiB; 512 GiB for a hole of that size */
	unsigned access;     /* 0 when not present */
};

/* What `gpa` is mapped to. Nothing is at NPT_LIMIT and above. */
struct npt_translation npt_lookup(const struct npt *npt, uint64_t gpa);

#endif
