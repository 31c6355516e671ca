/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of extended page tables, SDM volume 3, 29.3.2. The processor does not look
 * at the MTRRs for a guest's accesses: each page has its memory type here (29.3.7).
 */
#ifndef HV_VMX_EPT_H
#define HV_VMX_EPT_H

#include "hv/core/npt.h"

/* `huge_pages`: 1 GiB pages. The memory types are those of mtrr_read(). */
void ept_fill_npt_format(struct npt_format *out, bool huge_pages);

#endif
