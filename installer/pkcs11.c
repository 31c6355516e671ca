/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/exits.h"
#include "installer/pkcs11_internal.h"
#include "storage/port.h"
#include <stdlib.h>
#include <string.h>

#define MOST_SLOTS 64 /* of one module */

static int is_named(struct pkcs11 *t, CK_FUNCTION_LIST *module, CK_SLOT_ID slot, CK_TOKEN_INFO *token)
{
	CK_SLOT_INFO slot_info;
	CK_INFO info;

	return module->C_GetInfo(&info) == CKR_OK && p11_kit_uri_match_module_info(t->uri, &info) &&
	       module->C_GetSlotInfo(slot, &slot_info) == CKR_OK && p11_kit_uri_match_slot_info(t->uri, &slot_info) &&
	       module->C_GetTokenInfo(slot, token) == CKR_OK && (token->flags & CKF_TOKEN_INITIALIZED) &&
	       p11_kit_uri_match_token_info(t->uri, token);
}

/* Counts the tokens that the URI names, and keeps the first. */
static unsigned find_token(struct pkcs11 *t)
{
	CK_ULONG wanted = p11_kit_uri_get_slot_id(t->uri);
	CK_SLOT_ID slots[MOST_SLOTS];
	CK_TOKEN_INFO token;
	unsigned found = 0;

	for (CK_FUNCTION_LIST **module = t->modules; *module; module++) {
		CK_ULONG count = MOST_SLOTS;

		if ((*module)->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
			continue;
		for (CK_ULONG i = 0; i < count; i++) {
			if ((wanted != (CK_ULONG)-1 && wanted != slots[i]) || !is_named(t, *module, slots[i], &token) ||
				found++)
				continue;
			t->module = *module;
			t->slot = slots[i];
			t->info = token;
		}
	}
	return found;
}

static int open_session(struct pkcs11 *t)
{
	CK_RV result = t->module->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);

	t->has_session = result == CKR_OK;
	if (t->has_session)
		return EXITS_OK;
	log_error("the token cannot be used: %s", p11_kit_strerror(result));
	return EXITS_FAILED;
}

int pkcs11_open(struct pkcs11 **token, const char *uri)
{
	struct pkcs11 *t = *token = calloc(1, sizeof *t);
	unsigned found;

	if (!t)
		return EXITS_FAILED;
	t->uri = p11_kit_uri_new();
	if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, t->uri) != P11_KIT_URI_OK ||
		p11_kit_uri_any_unrecognized(t->uri)) {
		log_error("\"%s\" is no PKCS #11 URI, as pkcs11:token=officer", uri);
		return EXITS_USAGE;
	}
	t->modules = p11_kit_modules_load_and_initialize(0);
	found = t->modules ? find_token(t) : 0;
	if (found == 1)
		return open_session(t);
	if (found)
		log_error("%u tokens are %s: say which, with its serial=, token= or slot-id=", found, uri);
	else
		log_error("there is no token %s: `p11tool --list-tokens` shows what is there", uri);
	return EXITS_REFUSED;
}

void pkcs11_close(struct pkcs11 *t)
{
	if (!t)
		return;
	if (t->has_session)
		t->module->C_CloseSession(t->session);
	if (t->modules)
		p11_kit_modules_finalize_and_release(t->modules);
	p11_kit_uri_free(t->uri);
	free(t);
}

static int tell_login(CK_RV result)
{
	switch (result) {
	case CKR_OK:
	case CKR_USER_ALREADY_LOGGED_IN:
		return EXITS_OK;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		log_error("wrong PIN");
		return EXITS_PASSPHRASE;
	case CKR_PIN_LOCKED:
		log_error("the token's PIN is locked");
		return EXITS_REFUSED;
	}
	log_error("the token does not let us in: %s", p11_kit_strerror(result));
	return EXITS_FAILED;
}

int pkcs11_login(struct pkcs11 *t, const char *file)
{
	struct secrets *pin;
	int err;

	if (!(t->info.flags & CKF_LOGIN_REQUIRED))
		return EXITS_OK;
	if (t->info.flags & CKF_USER_PIN_FINAL_TRY)
		log_warning("one more wrong PIN locks the token");
	if (t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) {
		log_info("enter the PIN at the reader");
		return tell_login(t->module->C_Login(t->session, CKU_USER, NULL, 0));
	}
	pin = secrets_new();
	err = pin ? secrets_card_pin(pin, file) : EXITS_FAILED;
	if (!err)
		err = tell_login(t->module->C_Login(
			t->session, CKU_USER, (CK_UTF8CHAR *)pin->passphrase, pin->passphrase_bytes));
	secrets_free(pin);
	return err;
}
