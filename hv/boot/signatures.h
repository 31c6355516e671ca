/* SPDX-License-Identifier: Apache-2.0 */
/* Signed PCR policies from the file tpm2-pcr-signature.json beside the program. */
#ifndef HV_BOOT_SIGNATURES_H
#define HV_BOOT_SIGNATURES_H

#include <efi.h>

/* Gives them to the TPM, when there are both. A file that cannot be used is told; the TPM's tokens that need none are
 * not touched by that. */
void signatures_read(EFI_LOADED_IMAGE *loaded);

#endif
