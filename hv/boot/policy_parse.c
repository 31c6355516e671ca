/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/policy.h"
#include <stdint.h>
#include <string.h>

/* A piece of the file. */
struct span {
	const char *text;
	size_t bytes;
};

static bool is(struct span span, const char *text)
{
	return span.bytes == strlen(text) && !memcmp(span.text, text, span.bytes);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span span)
{
	while (span.bytes && is_blank(span.text[0])) {
		span.text++;
		span.bytes--;
	}
	while (span.bytes && is_blank(span.text[span.bytes - 1]))
		span.bytes--;
	return span;
}

/* An absolute path of printable ASCII with the firmware's backslashes that names an .efi file. */
static bool is_path(struct span value)
{
	static const char suffix[] = ".efi";

	if (value.bytes < 6 || value.bytes > POLICY_MAX_PATH || value.text[0] != '\\')
		return false;
	for (size_t i = 0; i < value.bytes; i++) {
		char c = value.text[i];

		if (c < ' ' || c > '~' || c == '/' || c == '"' || c == '*' || c == '?' || c == ':')
			return false;
		if (i && c == '\\' && value.text[i - 1] == '\\')
			return false;
		if (i && c == '.' && value.text[i - 1] == '.')
			return false;
	}
	for (size_t i = 0; i < 4; i++)
		if ((value.text[value.bytes - 4 + i] | (i ? 0x20 : 0)) != suffix[i])
			return false;
	return true;
}

static bool set_next(struct policy *policy, struct span value)
{
	if (!is_path(value))
		return false;
	memcpy(policy->next, value.text, value.bytes);
	policy->next[value.bytes] = 0;
	return true;
}

static bool set_icr(struct policy *policy, struct span value)
{
	policy->icr = is(value, "fast") ? BOOT_ICR_FAST : BOOT_ICR_KEEP;
	return is(value, "keep") || is(value, "fast");
}

static bool set_panic(struct policy *policy, struct span value)
{
	policy->panic = is(value, "halt") ? BOOT_PANIC_HALT : BOOT_PANIC_RESET;
	return is(value, "reset") || is(value, "halt");
}

static bool set_debug(struct policy *policy, struct span value)
{
	policy->debug = is(value, "1");
	return is(value, "0") || is(value, "1");
}

static bool set_tries(struct policy *policy, struct span value)
{
	bool one_digit = value.bytes == 1 && value.text[0] >= '1' && value.text[0] <= '9';

	if (!one_digit && !is(value, "10"))
		return false;
	policy->tries = one_digit ? (unsigned)(value.text[0] - '0') : 10;
	return true;
}

static bool set_keyboard(struct policy *policy, struct span value)
{
	for (enum layout layout = 0; layout < LAYOUT_COUNT; layout++) {
		if (!is(value, layout_word(layout)))
			continue;
		policy->keyboard = layout;
		return true;
	}
	return false;
}

static bool set_allow_weak_tokens(struct policy *policy, struct span value)
{
	policy->allow_weak_tokens = is(value, "1");
	return is(value, "0") || is(value, "1");
}

static bool set_escrow(struct policy *policy, struct span value)
{
	policy->escrow_required = is(value, "required");
	return is(value, "none") || is(value, "required");
}

static const struct key {
	const char *name;
	bool (*set)(struct policy *policy, struct span value); /* false: policy unchanged or at its default */
	const char *wrong;
} keys[] = {
	{"next", set_next, "next must be a path such as \\EFI\\systemd\\systemd-bootx64.efi"},
	{"icr", set_icr, "icr must be keep or fast"},
	{"debug", set_debug, "debug must be 0 or 1"},
	{"panic", set_panic, "panic must be reset or halt"},
	{"tries", set_tries, "tries must be a number from 1 to 10"},
	{"keyboard", set_keyboard, "keyboard must be us, uk, de, fr or jp"},
	{"allow_weak_tokens", set_allow_weak_tokens, "allow_weak_tokens must be 0 or 1"},
	{"escrow", set_escrow, "escrow must be none or required"},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* Returns what is wrong with the line, or NULL. `seen` has a bit for each key met before. */
static const char *parse_line(struct policy *policy, struct span line, uint32_t *seen)
{
	const char *equals = line.text;
	struct span name, value;

	while (equals < line.text + line.bytes && *equals != '=')
		equals++;
	if (equals == line.text + line.bytes)
		return "this is not of the form key=value";
	name = trim((struct span){line.text, (size_t)(equals - line.text)});
	value = trim((struct span){equals + 1, (size_t)(line.text + line.bytes - equals - 1)});
	for (unsigned i = 0; i < KEYS; i++) {
		if (!is(name, keys[i].name))
			continue;
		if (*seen & 1u << i)
			return "this key was given before, the first one counts";
		*seen |= 1u << i;
		return keys[i].set(policy, value) ? NULL : keys[i].wrong;
	}
	return "this key is not known";
}

void policy_defaults(struct policy *policy)
{
	memset(policy, 0, sizeof(*policy));
	policy->icr = BOOT_ICR_KEEP;
	policy->tries = 3;
	policy->keyboard = LAYOUT_US;
}

unsigned policy_parse(
	struct policy *policy, const char *text, size_t bytes, policy_complaint *complain, void *context)
{
	unsigned complaints = 0, number = 0;
	uint32_t seen = 0;

	policy_defaults(policy);
	if (bytes > POLICY_MAX_BYTES) {
		complain(context, 0, "it is larger than 4 KiB and not used");
		return 1;
	}
	while (bytes) {
		struct span line = {text, 0};
		const char *wrong;

		while (line.bytes < bytes && text[line.bytes] != '\n')
			line.bytes++;
		text += line.bytes + (line.bytes < bytes);
		bytes -= line.bytes + (line.bytes < bytes);
		number++;
		line = trim(line);
		if (!line.bytes || line.text[0] == '#')
			continue;
		wrong = parse_line(policy, line, &seen);
		if (wrong) {
			complain(context, number, wrong);
			complaints++;
		}
	}
	return complaints;
}
