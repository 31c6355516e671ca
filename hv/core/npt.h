/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested page tables in the AMD64 long-mode format (APM 2, 15.25): guest-physical
 * equals host-physical, mapped with the largest pages that fit, broken down only
 * where something is trapped. One tree per vcpu, so that a CPU can have a view of
 * its own; the trees are equal but for those views.
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

struct npt {
	uint64_t *root; /* PML4; its physical address is its pointer (hypervisor memory is identity-mapped) */
	struct npt_pool *pool;
	uint64_t *same_table; /* the last shared table made by npt_map_same; a full table is never written
				 again */
	bool huge_pages;      /* 1 GiB pages may be used */
};

/*
 * Builds an identity mapping of [0, limit), limit a multiple of 1 GiB, NPT_ALL.
 * 0, or -1 when the pool is short; then the pool is as before.
 */
int npt_init(struct npt *npt, struct npt_pool *pool, uint64_t limit, bool huge_pages);

/*
 * Maps [gpa, gpa+bytes) (4 KiB multiples, below NPT_LIMIT) to hpa onwards with `access`;
 * access 0, or without NPT_READ (the format cannot express it), makes the range not
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
