/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/vmx/ept.h"
#include "hv/x86/mtrr.h"

#define ENTRY_READ     (1ull << 0)
#define ENTRY_WRITE    (1ull << 1)
#define ENTRY_EXECUTE  (1ull << 2)
#define ENTRY_TYPE     3 /* bits 5:3 of a page's entry */
#define ENTRY_ACCESSED (1ull << 8)
#define ENTRY_DIRTY    (1ull << 9)

static int64_t memory_type(uint64_t hpa, uint64_t bytes)
{
	int type = mtrr_type(hpa, bytes);

	return type < 0 ? -1 : (int64_t)type << ENTRY_TYPE;
}

/* Accessed and dirty are preset: nobody reads them, and a processor that has them need not write them. */
void ept_fill_npt_format(struct npt_format *out, bool huge_pages)
{
	*out = (struct npt_format){
		.table = ENTRY_READ | ENTRY_WRITE | ENTRY_EXECUTE | ENTRY_ACCESSED,
		.page = ENTRY_READ | ENTRY_ACCESSED | ENTRY_DIRTY,
		.execute = ENTRY_EXECUTE,
		.huge_pages = huge_pages,
		.memory_type = memory_type,
	};
}
