/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/unlock_tpm.h"
#include "hv/boot/keyboard.h"
#include "hv/boot/measure.h"
#include "hv/boot/open.h"
#include "hv/boot/screen.h"
#include "hv/boot/tpm.h"
#include "keymgmt/base64.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>
#include <string.h>

struct attempt {
	struct tpm *tpm;
	struct volume *volume;
	const struct tpm2_token *token;
	UINTN pins; /* that may be asked for */
	VOID *scratch;
};

/* Why a token is not even tried, a clause, or NULL. */
static const char *objection(const struct tpm *tpm, const struct tpm2_token *token, const struct policy *policy)
{
	if (token->unusable)
		return token->unusable;
	if ((token->pcrs | token->signed_pcrs) && !tpm_measures(tpm, token->bank))
		return "the firmware does not measure into its bank of PCRs";
	if (tpm2_pcrs_weak(token->pcrs | token->signed_pcrs) && !policy->allow_weak_tokens)
		return "it is weak (no PCR 12 with PCR 7 or 4); allow_weak_tokens=1 in underseal.conf allows it";
	return NULL;
}

/* The secret in base64 is the passphrase of the token's key slots. */
static enum answer open_with(const struct attempt *attempt, const struct tpm2_secret *secret)
{
	UINT8 passphrase[BASE64_BYTES(TPM2_MAX_SECRET)];
	UINTN bytes = base64_encode(secret->data, secret->bytes, passphrase);
	enum answer answer =
		open_volume(attempt->volume, attempt->token->keyslots, passphrase, bytes, attempt->scratch);

	secret_wipe(passphrase, sizeof(passphrase));
	if (answer == ANSWER_WRONG)
		Print(L"its key slot does not fit the token.\n");
	return answer;
}

/* The PCRs whose values are not the recorded ones; 0 when there is no record, or the TPM does not tell. */
static UINT32 differing(struct tpm *tpm, const struct tpm2_pcrs *recorded)
{
	UINT8 digest[TPM2_MAX_DIGEST];
	UINT32 mask = 0;
	size_t bytes;

	for (unsigned i = 0; i < TPM2_PCRS; i++) {
		if (!(recorded->mask & 1u << i))
			continue;
		if (tpm2_pcr_read(&tpm->tpm2, TPM2_SHA256, i, digest, &bytes) || bytes != TPM2_PCR_BYTES)
			return 0;
		if (memcmp(digest, recorded->value[i], TPM2_PCR_BYTES))
			mask |= 1u << i;
	}
	return mask;
}

static void tell_list(UINT32 pcrs)
{
	Print(L" (PCR");
	for (unsigned i = 0; i < TPM2_PCRS; i++)
		if (pcrs & 1u << i)
			Print(L" %d", (int)i);
	Print(L")");
}

/* Which PCRs it is about, and why they change; without a record all that the token binds. */
static void tell_pcrs(const struct attempt *attempt)
{
	UINT32 mask = differing(attempt->tpm, &attempt->token->recorded);

	if (!mask) {
		tell_list(attempt->token->pcrs);
		return;
	}
	for (unsigned i = 0; i < TPM2_PCRS; i++)
		if (mask & 1u << i)
			Print(L"\nPCR %d differs. %a", (int)i, tpm2_pcr_text(i));
	Print(L"\nIf you expect that, unlock otherwise this time, then renew the token: underseal reseal.");
}

static void tell(const struct attempt *attempt, enum tpm2_result result)
{
	const struct tpm2 *tpm2 = &attempt->tpm->tpm2;

	Print(L"\n%a", tpm2_result_text(result));
	if (result == TPM2_REFUSED)
		Print(L" (command %x, answer %x)", tpm2->refused_command, tpm2->refused_code);
	if (result == TPM2_STATE_DIFFERS)
		tell_pcrs(attempt);
	Print(L"\n");
}

static enum tpm2_result unseal(const struct attempt *attempt, const struct passphrase *pin, enum answer *answer)
{
	struct tpm2_secret secret;
	enum tpm2_result result;

	Print(L"Unlocking %a with the TPM ... ", attempt->volume->name);
	result = tpm2_unseal(&attempt->tpm->tpm2, attempt->token, pin ? pin->text : NULL, pin ? pin->bytes : 0,
		&secret);
	if (result == TPM2_OK)
		*answer = open_with(attempt, &secret);
	else if (result == TPM2_NEEDS_PIN)
		Print(L"a PIN is needed.\n");
	else
		tell(attempt, result);
	secret_wipe(&secret, sizeof(secret));
	return result;
}

/* An empty line goes on to what comes next; Esc ends everything. */
static enum answer try_pins(const struct attempt *attempt)
{
	static struct passphrase pin;
	enum answer answer = ANSWER_WRONG;
	enum tpm2_result result = TPM2_WRONG_PIN;

	screen_ask();
	for (UINTN i = 0; i < attempt->pins && result == TPM2_WRONG_PIN; i++) {
		Print(L"TPM PIN for %a (Enter alone goes on without): ", attempt->volume->name);
		if (!keyboard_read(&pin)) {
			answer = ANSWER_NONE;
			break;
		}
		if (!pin.bytes)
			break;
		result = unseal(attempt, &pin, &answer);
		if (result == TPM2_WRONG_PIN)
			Print(L"The TPM counts wrong PINs, and locks itself after too many.\n");
	}
	secret_wipe(&pin, sizeof(pin));
	return answer;
}

static enum answer try_token(const struct attempt *attempt, const struct policy *policy)
{
	const char *why = objection(attempt->tpm, attempt->token, policy);
	enum answer answer = ANSWER_WRONG;

	if (why) {
		Print(L"%a: a TPM token is not used, %a.\n", attempt->volume->name, why);
		return ANSWER_WRONG;
	}
	if (unseal(attempt, NULL, &answer) == TPM2_NEEDS_PIN)
		return try_pins(attempt);
	return answer;
}

static BOOLEAN has_tokens(const struct volume *volumes, UINTN count)
{
	for (UINTN i = 0; i < count; i++)
		if (volumes[i].header.tpm2_tokens)
			return TRUE;
	return FALSE;
}

/* A TPM whose PCR 12 holds the policy, or NULL; it has been told why. */
static struct tpm *open_tpm(const struct policy_text *text)
{
	struct tpm *tpm = tpm_find();

	if (!tpm)
		Print(L"There are TPM tokens, but this computer's firmware offers no TPM 2.0.\n");
	else if (!measure_policy(text))
		Print(L"The TPM is not used: the policy file could not be measured into its PCR 12.\n");
	else
		return tpm;
	return NULL;
}

BOOLEAN unlock_with_tpm(struct volume *volumes, UINTN count, const struct policy *policy,
	const struct policy_text *text, VOID *scratch)
{
	struct tpm *tpm = has_tokens(volumes, count) ? open_tpm(text) : NULL;
	enum answer answer = ANSWER_WRONG;

	for (UINTN i = 0; tpm && i < count; i++)
		for (UINTN t = 0; t < volumes[i].header.tpm2_tokens && !volumes[i].unlocked; t++) {
			struct attempt attempt = {tpm, &volumes[i], &volumes[i].header.tpm2[t], policy->tries, scratch};

			answer = try_token(&attempt, policy);
			if (answer == ANSWER_NONE)
				return FALSE;
		}
	return TRUE;
}
