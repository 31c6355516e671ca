/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/policy_file.h"
#include "hv/boot/beside.h"
#include <efilib.h>

static const CHAR16 name[] = L"underseal.conf";

static void complain(void *context, unsigned line, const char *text)
{
	(void)context;
	if (line)
		Print(L"underseal.conf, line %d: %a.\n", (int)line, text);
	else
		Print(L"underseal.conf: %a.\n", text);
}

void policy_read(struct policy *policy, struct policy_text *text, EFI_LOADED_IMAGE *loaded)
{
	EFI_STATUS status;

	policy_defaults(policy);
	/* One byte more than a policy may have, so that a longer one is noticed. */
	text->bytes = sizeof(text->text);
	status = beside_read(loaded, name, text->text, &text->bytes);
	if (!EFI_ERROR(status))
		policy_parse(policy, text->text, text->bytes, complain, NULL);
	else if (status != EFI_NOT_FOUND)
		Print(L"underseal.conf cannot be read (%r).\n", status);
	if (EFI_ERROR(status) || text->bytes > POLICY_MAX_BYTES)
		text->bytes = 0;
}
