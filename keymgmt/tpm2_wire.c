/* SPDX-License-Identifier: Apache-2.0 */
#include "keymgmt/tpm2_wire.h"
#include <string.h>

#define HEADER_BYTES 10 /* tag, size, code */
#define TRIES	     400

uint32_t tpm2_error_number(uint32_t code)
{
	return code & 0x80 ? code & 0xbf : code;
}

/* ---- writing ---- */

struct tpm2_writer tpm2_begin(struct tpm2 *tpm, uint16_t tag, uint32_t code)
{
	struct tpm2_writer writer = {.data = tpm->command, .capacity = sizeof(tpm->command)};

	tpm2_put16(&writer, tag);
	tpm2_put32(&writer, 0); /* the size, known when it is sent */
	tpm2_put32(&writer, code);
	return writer;
}

void tpm2_put(struct tpm2_writer *writer, const void *data, size_t bytes)
{
	if (writer->overflown || bytes > writer->capacity - writer->bytes) {
		writer->overflown = true;
		return;
	}
	if (bytes)
		memcpy(writer->data + writer->bytes, data, bytes);
	writer->bytes += bytes;
}

void tpm2_put8(struct tpm2_writer *writer, uint8_t value)
{
	tpm2_put(writer, &value, 1);
}

void tpm2_put16(struct tpm2_writer *writer, uint16_t value)
{
	tpm2_put8(writer, (uint8_t)(value >> 8));
	tpm2_put8(writer, (uint8_t)value);
}

void tpm2_put32(struct tpm2_writer *writer, uint32_t value)
{
	tpm2_put16(writer, (uint16_t)(value >> 16));
	tpm2_put16(writer, (uint16_t)value);
}

void tpm2_put_sized(struct tpm2_writer *writer, const void *data, size_t bytes)
{
	if (bytes > UINT16_MAX)
		writer->overflown = true;
	tpm2_put16(writer, (uint16_t)bytes);
	tpm2_put(writer, data, bytes);
}

/* The authorisation area of a command with one session (part 1, 18.6). */
void tpm2_put_session(struct tpm2_writer *command, uint32_t session, const void *nonce, size_t nonce_bytes,
	uint8_t attributes, const void *hmac, size_t hmac_bytes)
{
	tpm2_put32(command, (uint32_t)(4 + 2 + nonce_bytes + 1 + 2 + hmac_bytes));
	tpm2_put32(command, session);
	tpm2_put_sized(command, nonce, nonce_bytes);
	tpm2_put8(command, attributes);
	tpm2_put_sized(command, hmac, hmac_bytes);
}

/* TPML_PCR_SELECTION of one bank. */
void tpm2_put_selection(struct tpm2_writer *command, enum tpm2_bank bank, uint32_t pcrs)
{
	tpm2_put32(command, 1);
	tpm2_put16(command, bank);
	tpm2_put8(command, 3);
	for (int shift = 0; shift < 24; shift += 8)
		tpm2_put8(command, (uint8_t)(pcrs >> shift));
}

/* ---- reading ---- */

struct tpm2_reader tpm2_get(struct tpm2_reader *reader, size_t bytes)
{
	struct tpm2_reader part = {.at = reader->at, .left = bytes};

	if (reader->short_of || bytes > reader->left) {
		reader->short_of = true;
		return (struct tpm2_reader){.at = reader->at, .short_of = true};
	}
	reader->at += bytes;
	reader->left -= bytes;
	return part;
}

static uint32_t get_number(struct tpm2_reader *reader, size_t bytes)
{
	struct tpm2_reader part = tpm2_get(reader, bytes);
	uint32_t value = 0;

	for (size_t i = 0; i < part.left; i++)
		value = value << 8 | part.at[i];
	return value;
}

uint8_t tpm2_get8(struct tpm2_reader *reader)
{
	return (uint8_t)get_number(reader, 1);
}

uint16_t tpm2_get16(struct tpm2_reader *reader)
{
	return (uint16_t)get_number(reader, 2);
}

uint32_t tpm2_get32(struct tpm2_reader *reader)
{
	return get_number(reader, 4);
}

struct tpm2_reader tpm2_get_sized(struct tpm2_reader *reader)
{
	size_t bytes = tpm2_get16(reader);

	return tpm2_get(reader, bytes);
}

bool tpm2_at_end(const struct tpm2_reader *reader)
{
	return !reader->short_of && !reader->left;
}

bool tpm2_take_apart(struct tpm2_reader *response, struct tpm2_answer *answer)
{
	size_t bytes = tpm2_get32(response);

	answer->parameters = tpm2_get(response, bytes);
	answer->nonce = tpm2_get_sized(response);
	answer->attributes = tpm2_get8(response);
	answer->hmac = tpm2_get_sized(response);
	return tpm2_at_end(response);
}

/* ---- a command and its answer ---- */

static bool asks_again(uint32_t code)
{
	return code == TPM2_RC_RETRY || code == TPM2_RC_YIELDED || code == TPM2_RC_TESTING;
}

/* Sends once. On TPM2_OK the answer's header was right, whatever its code. */
static enum tpm2_result send_once(struct tpm2 *tpm, const struct tpm2_writer *command,
	struct tpm2_reader *response, uint32_t *code)
{
	size_t room = sizeof(tpm->response) < tpm->max_response ? sizeof(tpm->response) : tpm->max_response;
	size_t written = room, bytes;
	uint16_t tag;

	memset(tpm->response, 0, sizeof(tpm->response));
	if (tpm->submit(tpm->context, command->data, command->bytes, tpm->response, &written))
		return TPM2_NO_ANSWER;
	*response = (struct tpm2_reader){.at = tpm->response, .left = written < room ? written : room};
	tag = tpm2_get16(response);
	bytes = tpm2_get32(response);
	*code = tpm2_get32(response);
	if (response->short_of || bytes < HEADER_BYTES || bytes - HEADER_BYTES > response->left)
		return TPM2_BAD_ANSWER;
	response->left = bytes - HEADER_BYTES;
	if (*code) /* an error is a header alone (part 1, 18.4); its tag may be that of a TPM 1.2 */
		return response->left ? TPM2_BAD_ANSWER : TPM2_OK;
	return tag == (command->data[0] << 8 | command->data[1]) ? TPM2_OK : TPM2_BAD_ANSWER;
}

enum tpm2_result tpm2_run(struct tpm2 *tpm, struct tpm2_writer *command, struct tpm2_reader *response)
{
	struct tpm2_writer size = {.data = command->data + 2, .capacity = 4};
	enum tpm2_result result;
	uint32_t code;

	if (command->overflown)
		return TPM2_REFUSED;
	tpm2_put32(&size, (uint32_t)command->bytes);
	memcpy(&code, command->data + 6, 4);
	tpm->refused_command = __builtin_bswap32(code);
	for (unsigned tries = 0; tries < TRIES; tries++) {
		result = send_once(tpm, command, response, &code);
		if (result || !code)
			return result;
		if (!asks_again(code)) {
			tpm->refused_code = code;
			return code == TPM2_RC_LOCKOUT ? TPM2_LOCKED_OUT : TPM2_REFUSED;
		}
		tpm->pause(tpm->context);
	}
	return TPM2_BUSY;
}
