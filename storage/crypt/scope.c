/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypt/scope.h"

void cipher_begin(struct cipher_scope *scope)
{
	if (!scope->saved)
		port_vectors_save(&scope->vectors);
	scope->saved = true;
}

void cipher_end(struct cipher_scope *scope)
{
	if (scope->saved)
		port_vectors_restore(&scope->vectors);
	scope->saved = false;
}
