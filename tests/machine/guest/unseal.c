/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unseal DEVICE HEADER [PIN]: what root can get out of a TPM. Reads the LUKS2 header in a file or a partition and
 * tries each of its systemd-tpm2 tokens at DEVICE, a TPM's node or the socket of an emulated one. With TRACE in the
 * environment every command and answer goes to standard error in hex, and what should be random is not; with CLEAR
 * no session is salted, so that secrets cross the wires as they are. SIGNATURES names a tpm2-pcr-signature.json.
 */
#include "storage/volume/luks2.h"
#include "storage/volume/pcr_signatures.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool trace;

static int open_device(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	int file;

	if (stat(path, &status))
		return -1;
	if (!S_ISSOCK(status.st_mode))
		return open(path, O_RDWR);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	file = socket(AF_UNIX, SOCK_STREAM, 0);
	return connect(file, (struct sockaddr *)&address, sizeof(address)) ? -1 : file;
}

static void tell(const char *what, const uint8_t *data, size_t bytes)
{
	fprintf(stderr, "%s ", what);
	for (size_t i = 0; i < bytes; i++)
		fprintf(stderr, "%02x", data[i]);
	fputc('\n', stderr);
}

static int submit(void *context, const uint8_t *command, size_t command_bytes, uint8_t *response, size_t *response_bytes)
{
	struct pollfd waited = {.fd = *(int *)context, .events = POLLIN};
	ssize_t got;

	if (write(waited.fd, command, command_bytes) != (ssize_t)command_bytes || poll(&waited, 1, 60000) != 1)
		return -1;
	got = read(waited.fd, response, *response_bytes);
	if (got < 0)
		return -1;
	*response_bytes = (size_t)got;
	if (trace) {
		tell(">", command, command_bytes);
		tell("<", response, *response_bytes);
	}
	return 0;
}

static void wait_a_little(void *context)
{
	(void)context;
	usleep(20000);
}

static bool random_bytes(void *context, uint8_t *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0x5a, count);
	return !getenv("CLEAR") && (trace || getrandom(bytes, count, 0) == (ssize_t)count);
}

static void read_signatures(struct tpm2 *tpm, const char *path)
{
	static struct tpm2_signatures signatures;
	static struct json_node nodes[PCR_SIGNATURES_NODES];
	static char text[PCR_SIGNATURES_MAX_BYTES];
	FILE *file = path ? fopen(path, "r") : NULL;
	const char *why;

	if (!file)
		return;
	why = pcr_signatures_read(&signatures, text, fread(text, 1, sizeof(text), file), nodes);
	if (why)
		printf("signatures: %s\n", why);
	tpm->signatures = &signatures;
	fclose(file);
}

static int read_file(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	return pread(*(int *)context, buffer, bytes, (off_t)offset) == (ssize_t)bytes ? 0 : -1;
}

static void try_token(struct tpm2 *tpm, unsigned number, const struct tpm2_token *token, const char *pin)
{
	struct tpm2_secret secret;
	enum tpm2_result result;

	if (token->unusable) {
		printf("token %u: %s\n", number, token->unusable);
		return;
	}
	result = tpm2_unseal(tpm, token, pin, pin ? strlen(pin) : 0, &secret);
	if (result) {
		printf("token %u: %s", number, tpm2_result_text(result));
		printf(result == TPM2_REFUSED ? " (%x: %x)\n" : "\n", tpm->refused_command, tpm->refused_code);
		return;
	}
	printf("token %u: unsealed ", number);
	for (size_t i = 0; i < secret.bytes; i++)
		printf("%02x", secret.data[i]);
	printf("\n");
}

int main(int count, char **words)
{
	static struct tpm2 tpm = {.submit = submit, .pause = wait_a_little, .random = random_bytes,
		.max_response = TPM2_RESPONSE_BYTES};
	static struct luks2 header;
	int device, file;
	struct luks2_source source = {.read = read_file, .context = &file};
	enum luks2_error error;

	if (count < 3)
		return 2;
	trace = getenv("TRACE");
	device = open_device(words[1]);
	file = open(words[2], O_RDONLY);
	if (device < 0 || file < 0) {
		fprintf(stderr, "%s: %s\n", device < 0 ? words[1] : words[2], strerror(errno));
		return 1;
	}
	tpm.context = &device;
	read_signatures(&tpm, getenv("SIGNATURES"));
	source.bytes = (uint64_t)lseek(file, 0, SEEK_END);
	error = luks2_read(&header, &source, aligned_alloc(64, LUKS2_SCRATCH_BYTES));
	if (error) {
		fprintf(stderr, "%s (%s)\n", luks2_error_text(error), header.detail);
		return 1;
	}
	for (unsigned i = 0; i < header.tpm2_tokens; i++)
		try_token(&tpm, i, &header.tpm2[i], count > 3 ? words[3] : NULL);
	return 0;
}
