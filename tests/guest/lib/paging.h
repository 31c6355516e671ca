/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables of ours: everything at its own address, in large pages, for the
 * supervisor; and a window of single pages that tests map as they like. The
 * window stands below 4 GiB, where 32-bit code reaches it, above all RAM that a
 * machine of the tests has.
 */
#ifndef TESTS_GUEST_LIB_PAGING_H
#define TESTS_GUEST_LIB_PAGING_H

#include "tests/guest/lib/guest.h"

#define PAGE_PRESENT  (1ull << 0)
#define PAGE_WRITE    (1ull << 1)
#define PAGE_USER     (1ull << 2)
#define PAGE_UNCACHED (1ull << 4)
#define PAGE_ACCESSED (1ull << 5)
#define PAGE_DIRTY    (1ull << 6)
#define PAGE_LARGE    (1ull << 7)
#define PAGE_NX       (1ull << 63)
#define PAGE_ADDRESS  0x000ffffffffff000ull
#define PAGE_ALL      (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)

#define WINDOW       0x60000000ull
#define WINDOW_PAGES 512

/* Maps page `page` of the window; its address. `flags` 0: not present. */
void *window_map(unsigned page, uint64_t physical, uint64_t flags);
/* The page's entry, for its accessed and dirty bits. Changes need window_flush(). */
volatile uint64_t *window_entry(unsigned page);
void window_flush(unsigned page);

/* For a CPU that starts: what it loads. */
uint64_t paging_root(void);
uint64_t paging_cr4(void);

#endif
