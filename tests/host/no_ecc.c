/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the underseal command: its TPM has no elliptic curves. */
#include <dlfcn.h>
#include <stddef.h>
#include <tss2/tss2_esys.h>

TSS2_RC Esys_CreatePrimary(ESYS_CONTEXT *context, ESYS_TR hierarchy, ESYS_TR session1, ESYS_TR session2,
	ESYS_TR session3, const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_PUBLIC *public, const TPM2B_DATA *outside,
	const TPML_PCR_SELECTION *pcrs, ESYS_TR *handle, TPM2B_PUBLIC **out, TPM2B_CREATION_DATA **data,
	TPM2B_DIGEST **hash, TPMT_TK_CREATION **ticket)
{
	TSS2_RC (*real)() = dlsym(RTLD_NEXT, "Esys_CreatePrimary");

	if (public->publicArea.type == TPM2_ALG_ECC)
		return TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2;
	return real(context, hierarchy, session1, session2, session3, sensitive, public, outside, pcrs, handle, out, data,
		hash, ticket);
}
