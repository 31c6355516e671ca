/* SPDX-License-Identifier: Apache-2.0 */
/* What the calling CPU has of AMD-V: also asked by the UEFI program, before anything is touched. APM volume 2, 15.4. */
#ifndef HV_SVM_MISSING_H
#define HV_SVM_MISSING_H

#include <stdbool.h>
#include <stddef.h>

#define CPUID_SVM (1u << 2) /* leaf 80000001h, ecx */

bool svm_present(void);
/* Of a CPU where it is present: what is missing, for a person to read, or NULL. */
const char *svm_missing(void);

#endif
