/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_SVM_NPT_FORMAT_H
#define HV_SVM_NPT_FORMAT_H

#include "hv/core/npt.h"

/* The entries of AMD's nested page tables. */
void svm_fill_npt_format(struct npt_format *out, bool huge_pages);

#endif
