/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of installer/pkcs11*.c share. */
#ifndef INSTALLER_PKCS11_INTERNAL_H
#define INSTALLER_PKCS11_INTERNAL_H

#include "installer/pkcs11.h"
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

struct pkcs11 {
	P11KitUri *uri;
	CK_FUNCTION_LIST **modules;
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	CK_SESSION_HANDLE session;
	int has_session;
};

/*
 * Finds objects of that class with the ID of `id`, or, when that is NULL or has none, with
 * the URI's attributes. Returns how many, at most `most`.
 */
unsigned pkcs11_find(struct pkcs11 *token, CK_OBJECT_CLASS class, const struct pkcs11_key *id, CK_OBJECT_HANDLE *found,
	unsigned most);

/* An attribute's value, to be freed; NULL when there is none. */
void *pkcs11_attribute(struct pkcs11 *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, size_t *bytes);

#endif
