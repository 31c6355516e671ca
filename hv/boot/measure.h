/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window in which keys can be unsealed. PCR 12 is zero until the policy file's
 * hash is extended into it, which opens the window for tokens that bind it; a
 * closing event ends it before anything else starts. So what starts later, the
 * guest above all, can neither reach that value again nor unseal with it.
 */
#ifndef HV_BOOT_MEASURE_H
#define HV_BOOT_MEASURE_H

#include "hv/boot/policy_file.h"

/*
 * Extends the hash of the policy file's bytes (of none when there is no file), once;
 * FALSE when PCR 12 of some bank has not changed, or there is no TPM. Nothing may
 * be unsealed then.
 */
BOOLEAN measure_policy(const struct policy_text *text);

/*
 * Extends the closing event, once, and looks that PCR 12 of every bank has changed.
 * FALSE when it has not, although the policy was measured before: nothing else may
 * be started then. Without a TPM there is nothing to close.
 */
BOOLEAN measure_close(void);

#endif
