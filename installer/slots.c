/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/slots.h"
#include "installer/escrow.h"
#include "installer/luks_json.h"
#include "installer/report.h"
#include "keymgmt/tpm2.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRS 24

static const struct {
	const char *token, *name, *text;
} kinds[] = {
	[SLOT_PASSPHRASE] = {NULL,	       "passphrase",   "passphrase"	   },
	[SLOT_RECOVERY] = {"systemd-recovery", "recovery-key", "recovery key"	   },
	[SLOT_TPM2] = {SLOTS_TPM2,	       "tpm2",	       "TPM 2.0"	       },
	[SLOT_SMARTCARD] = {"systemd-pkcs11",   "smartcard",    "smartcard"	     },
	[SLOT_FIDO2] = {"systemd-fido2",	 "fido2",	  "FIDO2"		   },
	[SLOT_OTHER] = {NULL,	       "other",	"key of an unknown token"},
	[SLOT_REENCRYPT] = {NULL,	       "reencrypt",    "encryption in progress" },
};

int slots_named(struct json_object *token, unsigned number)
{
	struct json_object *list = luks_get(token, "keyslots");
	char text[16];

	if (!json_object_is_type(list, json_type_array))
		return 0;
	snprintf(text, sizeof text, "%u", number);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		if (name && !strcmp(name, text))
			return 1;
	}
	return 0;
}

static enum slot_kind kind_of_token(struct json_object *token)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].token && !strcmp(luks_text(token, "type"), kinds[i].token))
			return i;
	return SLOT_OTHER;
}

int slots_kind(struct json_object *root, unsigned number)
{
	struct json_object *slot;
	char path[32];

	snprintf(path, sizeof path, "keyslots.%u", number);
	slot = luks_get(root, path);
	if (!slot)
		return -1;
	if (!strcmp(luks_text(slot, "type"), "reencrypt"))
		return SLOT_REENCRYPT;
	json_object_object_foreach(luks_get(root, "tokens"), key, token)
	{
		(void)key;
		if (slots_named(token, number))
			return kind_of_token(token);
	}
	return SLOT_PASSPHRASE;
}

int slots_has_policy(struct json_object *root, const char *type, const char *policy)
{
	json_object_object_foreach(luks_get(root, "tokens"), key, token)
	{
		(void)key;
		if (!strcmp(luks_text(token, "type"), type) && !strcmp(luks_text(token, SLOTS_POLICY), policy))
			return 1;
	}
	return 0;
}

int slots_typed(enum slot_kind kind)
{
	return kind == SLOT_PASSPHRASE || kind == SLOT_RECOVERY;
}

const char *slots_kind_text(enum slot_kind kind)
{
	return kinds[kind].text;
}

static void describe_slot(struct json_object *out, struct json_object *root, unsigned number, struct json_object *slot)
{
	struct json_object *kdf = luks_get(slot, "kdf"), *memory = luks_get(kdf, "memory");
	struct json_object *passes = luks_get(kdf, luks_get(kdf, "time") ? "time" : "iterations");

	report_text(out, "kind", kinds[slots_kind(root, number)].name);
	if (!kdf)
		return;
	report_text(out, "kdf", luks_text(kdf, "type"));
	if (memory)
		report_number(out, "memory_kib", json_object_get_uint64(memory));
	report_number(out, "passes", json_object_get_uint64(passes));
}

/* An array of those numbers in `list` that are below `limit`; LUKS2 writes slots as texts, systemd PCRs as numbers. */
static struct json_object *numbers(struct json_object *list, unsigned limit, uint32_t *mask)
{
	struct json_object *out = json_object_new_array();
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	*mask = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t number = json_object_get_uint64(json_object_array_get_idx(list, i));

		if (number >= limit)
			continue;
		*mask |= 1u << number;
		json_object_array_add(out, json_object_new_uint64(number));
	}
	return out;
}

/* A fingerprint as certificate_fingerprint writes it: what else a header might say is not shown. */
static int is_fingerprint(struct json_object *text)
{
	const char *digits = json_object_is_type(text, json_type_string) ? json_object_get_string(text) : "";

	return strlen(digits) == 64 && strspn(digits, "0123456789abcdef") == 64;
}

/* Whose keys open an escrow's token. */
static void describe_escrow(struct json_object *out, struct json_object *token)
{
	struct json_object *list = luks_get(token, "certificates"), *copy = json_object_new_array();
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		if (is_fingerprint(json_object_array_get_idx(list, i)))
			json_object_array_add(copy, json_object_get(json_object_array_get_idx(list, i)));
	json_object_object_add(out, "certificates", copy);
}

static void describe_token(struct json_object *out, struct json_object *token)
{
	struct json_object *bank = luks_get(token, "tpm2-pcr-bank");
	uint32_t mask, signed_mask;

	json_object_object_add(out, "keyslots", numbers(luks_get(token, "keyslots"), 32, &mask));
	if (!strcmp(luks_text(token, "type"), ESCROW_TOKEN))
		describe_escrow(out, token);
	if (kind_of_token(token) != SLOT_TPM2)
		return;
	/* Tokens from before other banks could be chosen do not name one. */
	report_text(out, "bank", bank ? luks_text(token, "tpm2-pcr-bank") : "sha256");
	json_object_object_add(out, "pcrs", numbers(luks_get(token, "tpm2-pcrs"), PCRS, &mask));
	json_object_object_add(out, "signed_pcrs", numbers(luks_get(token, "tpm2_pubkey_pcrs"), PCRS, &signed_mask));
	json_object_object_add(
		out, "pin", json_object_new_boolean(json_object_get_boolean(luks_get(token, "tpm2-pin"))));
	json_object_object_add(out, "weak", json_object_new_boolean(tpm2_pcrs_weak(mask | signed_mask)));
}

void slots_describe(struct json_object *out, struct json_object *root)
{
	struct json_object *slots = json_object_new_array(), *tokens = json_object_new_array();

	json_object_object_foreach(luks_get(root, "keyslots"), number, slot)
	{
		struct json_object *item = json_object_new_object();

		report_number(item, "id", strtoul(number, NULL, 10));
		report_text(item, "type", luks_text(slot, "type"));
		describe_slot(item, root, strtoul(number, NULL, 10), slot);
		json_object_array_add(slots, item);
	}
	json_object_object_foreach(luks_get(root, "tokens"), name, token)
	{
		struct json_object *item = json_object_new_object();

		report_number(item, "id", strtoul(name, NULL, 10));
		report_text(item, "type", luks_text(token, "type"));
		describe_token(item, token);
		json_object_array_add(tokens, item);
	}
	json_object_object_add(out, "keyslots", slots);
	json_object_object_add(out, "tokens", tokens);
}

static const char *text_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].text;
	return name;
}

static void print_slot(struct json_object *slot)
{
	printf("  slot %-5llu %s", (unsigned long long)report_get_number(slot, "id"),
		text_of(report_get_text(slot, "kind")));
	if (report_get(slot, "kdf"))
		printf(", %s, %llu passes", report_get_text(slot, "kdf"),
			(unsigned long long)report_get_number(slot, "passes"));
	if (report_get(slot, "memory_kib"))
		printf(", %llu KiB of memory", (unsigned long long)report_get_number(slot, "memory_kib"));
	putchar('\n');
}

/* "slot 1 2", or nothing when the list is empty. */
static void print_list(const char *before, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		printf("%s%llu", i ? " " : before,
			(unsigned long long)json_object_get_uint64(json_object_array_get_idx(list, i)));
}

/* As much of each fingerprint as tells two certificates apart. */
static void print_escrow(struct json_object *certificates)
{
	size_t count = json_object_is_type(certificates, json_type_array) ? json_object_array_length(certificates) : 0;

	for (size_t i = 0; i < count; i++)
		printf("%s%.16s", i ? " " : ", volume key for certificate ",
			json_object_get_string(json_object_array_get_idx(certificates, i)));
}

static void print_token(struct json_object *token)
{
	printf("  token %-4llu %s", (unsigned long long)report_get_number(token, "id"),
		report_get_text(token, "type"));
	print_list(", opens slot ", report_get(token, "keyslots"));
	print_escrow(report_get(token, "certificates"));
	if (report_get(token, "bank")) {
		printf(", bank %s", report_get_text(token, "bank"));
		print_list(", PCR ", report_get(token, "pcrs"));
		print_list(", signed PCR ", report_get(token, "signed_pcrs"));
		fputs(json_object_get_boolean(report_get(token, "pin")) ? ", with PIN" : ", no PIN", stdout);
		fputs(json_object_get_boolean(report_get(token, "weak"))
				? ", weak: a running system could unseal it"
				: "",
			stdout);
	}
	putchar('\n');
}

void slots_print(struct json_object *report)
{
	struct json_object *slots = report_get(report, "keyslots"), *tokens = report_get(report, "tokens");

	for (size_t i = 0; i < json_object_array_length(slots); i++)
		print_slot(json_object_array_get_idx(slots, i));
	for (size_t i = 0; i < json_object_array_length(tokens); i++)
		print_token(json_object_array_get_idx(tokens, i));
}
