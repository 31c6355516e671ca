/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/unlock_card.h"
#include "hv/boot/keyboard.h"
#include "hv/boot/open.h"
#include "hv/boot/reader.h"
#include "hv/boot/screen.h"
#include "keymgmt/base64.h"
#include "keymgmt/piv.h"
#include "storage/crypt/wipe.h"
#include <efilib.h>

#define READERS 8

struct session {
	struct card card;
	const struct policy *policy;
	VOID *scratch;
};

/* `code` is what the card or the reader calls it. */
static void tell(enum card_result result, UINT32 code)
{
	Print(L"%a", card_result_text(result));
	if (result == CARD_REFUSED || result == CARD_READER_FAILED)
		Print(L" (%x)", code);
	Print(L"\n");
}

static void tell_of(const struct card *card, enum card_result result)
{
	tell(result, result == CARD_REFUSED ? card->status : card->reader->error);
}

/* ---- finding the card ---- */

static enum card_result open_piv(struct card *card, struct ccid *ccid)
{
	enum card_result result = card_open(card, ccid);

	if (result)
		return result;
	result = piv_select(card);
	if (result)
		card_close(card);
	return result;
}

/* The first PIV card in any reader; where there is none each reader has its sentence. */
static BOOLEAN find_card(struct card *card)
{
	static struct reader readers[READERS];
	UINTN count = readers_find(readers, READERS);
	enum card_result result;

	if (!count)
		Print(L"There are smartcard tokens, but no smartcard reader was found.\n");
	for (UINTN i = 0; i < count; i++) {
		struct reader *reader = &readers[i];

		if (reader->unusable) {
			Print(L"The smartcard reader %04x:%04x is not used, %a.\n", (UINT32)reader->vendor,
				(UINT32)reader->product, reader->unusable);
			continue;
		}
		result = open_piv(card, &reader->ccid);
		if (!result)
			return TRUE;
		Print(L"Smartcard reader %04x:%04x: ", (UINT32)reader->vendor, (UINT32)reader->product);
		tell(result, reader->ccid.error);
	}
	return FALSE;
}

/* ---- its PIN ---- */

/* One PIN. ANSWER_UNLOCKED says that the card is; ANSWER_UNUSABLE that asking again is in vain. */
static enum answer ask_for_pin(struct session *session, const struct volume *volume, unsigned tries)
{
	static struct passphrase pin;
	enum answer answer = ANSWER_UNUSABLE;
	enum card_result result;

	screen_ask();
	Print(L"Smartcard PIN for %a (%d tries left; Enter goes on without): ", volume->name, (int)tries);
	if (!keyboard_read(&pin))
		return ANSWER_NONE;
	if (pin.bytes) {
		result = piv_verify(&session->card, pin.text, pin.bytes);
		if (result)
			tell_of(&session->card, result);
		answer = !result ? ANSWER_UNLOCKED
			 : result == CARD_WRONG_PIN || result == CARD_BAD_PIN ? ANSWER_WRONG
									      : ANSWER_UNUSABLE;
	}
	secret_wipe(&pin, sizeof(pin));
	return answer;
}

/* Until the card has seen its PIN, ANSWER_UNLOCKED, or nobody will be asked any more. */
static enum answer show_pin(struct session *session, const struct volume *volume)
{
	enum answer answer = ANSWER_WRONG;
	enum card_result result;
	unsigned tries;
	bool verified;

	for (unsigned i = 0; i < session->policy->tries && answer == ANSWER_WRONG; i++) {
		result = piv_tries(&session->card, &tries, &verified);
		if (result) {
			tell_of(&session->card, result);
			return ANSWER_UNUSABLE;
		}
		if (verified)
			return ANSWER_UNLOCKED;
		if (tries < 2) {
			Print(L"One more wrong PIN would block the smartcard: it is not asked for here.\n");
			return ANSWER_UNUSABLE;
		}
		answer = ask_for_pin(session, volume, tries);
	}
	return answer == ANSWER_WRONG ? ANSWER_UNUSABLE : answer;
}

/* ---- its tokens ---- */

/* The secret in base64 is the passphrase of the token's key slots. */
static enum answer open_with(
	struct session *session, struct volume *volume, const struct pkcs11_token *token, const struct piv_secret *secret)
{
	UINT8 passphrase[BASE64_BYTES(PIV_RSA_BYTES)];
	UINTN bytes = base64_encode(secret->data, secret->bytes, passphrase);
	enum answer answer = open_volume(volume, token->keyslots, passphrase, bytes, session->scratch);

	secret_wipe(passphrase, sizeof(passphrase));
	return answer;
}

/* CARD_OK, and what came of it in `answer`, when the card has given its secret. */
static enum card_result decrypt_and_open(
	struct session *session, struct volume *volume, const struct pkcs11_token *token, enum answer *answer)
{
	struct piv_secret secret;
	enum card_result result = piv_decrypt(&session->card, token->encrypted, &secret);

	if (!result)
		*answer = open_with(session, volume, token, &secret);
	secret_wipe(&secret, sizeof(secret));
	/* Another key's padding can look right by chance; who asks is not told the difference. */
	return !result && *answer == ANSWER_WRONG ? CARD_WRONG_KEY : result;
}

/* ANSWER_UNUSABLE: the card opens nothing any more. */
static enum answer try_token(struct session *session, struct volume *volume, const struct pkcs11_token *token)
{
	enum answer answer = show_pin(session, volume);
	enum card_result result;

	if (answer != ANSWER_UNLOCKED)
		return answer;
	Print(L"Unlocking %a with the smartcard ... ", volume->name);
	result = decrypt_and_open(session, volume, token, &answer);
	if (!result)
		return ANSWER_UNLOCKED;
	Print(L"\n");
	tell_of(&session->card, result);
	return result == CARD_WRONG_KEY ? ANSWER_WRONG : ANSWER_UNUSABLE;
}

/* All tokens of all locked volumes, until the card is of no more use. */
static enum answer try_tokens(struct session *session, struct volume *volumes, UINTN count)
{
	enum answer answer = ANSWER_WRONG;

	for (UINTN i = 0; i < count; i++)
		for (UINTN t = 0; t < volumes[i].header.pkcs11_tokens && !volumes[i].unlocked; t++) {
			const struct pkcs11_token *token = &volumes[i].header.pkcs11[t];

			if (token->unusable)
				continue;
			answer = try_token(session, &volumes[i], token);
			if (answer == ANSWER_NONE || answer == ANSWER_UNUSABLE)
				return answer;
		}
	return answer;
}

/* Whether there is a token to try; about the others a sentence is said. */
static BOOLEAN has_tokens(const struct volume *volumes, UINTN count)
{
	BOOLEAN usable = FALSE;

	for (UINTN i = 0; i < count; i++)
		for (UINTN t = 0; t < volumes[i].header.pkcs11_tokens && !volumes[i].unlocked; t++) {
			const struct pkcs11_token *token = &volumes[i].header.pkcs11[t];

			if (token->unusable)
				Print(L"%a: a smartcard token is not used, %a.\n", volumes[i].name, token->unusable);
			else
				usable = TRUE;
		}
	return usable;
}

BOOLEAN unlock_with_card(struct volume *volumes, UINTN count, const struct policy *policy, VOID *scratch)
{
	static struct session session;
	enum answer answer;

	if (!has_tokens(volumes, count) || !find_card(&session.card))
		return TRUE;
	session.policy = policy;
	session.scratch = scratch;
	answer = try_tokens(&session, volumes, count);
	card_close(&session.card);
	return answer != ANSWER_NONE;
}
