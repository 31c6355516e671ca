/* SPDX-License-Identifier: Apache-2.0 */
/* The AMD64 long-mode format, APM volume 2, 5.4 and 15.25.5. */
#include "hv/svm/npt_format.h"

#define ENTRY_PRESENT  (1ull << 0)
#define ENTRY_WRITE    (1ull << 1)
#define ENTRY_USER     (1ull << 2)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY    (1ull << 6)
#define ENTRY_NX       (1ull << 63)

/*
 * The nested walk is a user access: US is set on every level. Accessed and dirty are
 * preset: nobody reads them, and the processor need not write them.
 */
void svm_fill_npt_format(struct npt_format *out, bool huge_pages)
{
	*out = (struct npt_format){
		.table = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_ACCESSED,
		.page = ENTRY_PRESENT | ENTRY_USER | ENTRY_ACCESSED | ENTRY_DIRTY,
		.no_execute = ENTRY_NX,
		.huge_pages = huge_pages,
	};
}
