/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/secrets.h"
#include "installer/exits.h"
#include "keymgmt/recovery_key.h"
#include "storage/crypt/wipe.h"
#include "storage/port.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

void *secrets_pages(size_t bytes)
{
	void *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED) {
		log_error("no memory for the key");
		return NULL;
	}
	if (mlock(s, bytes))
		log_warning("the key's memory cannot be locked and might reach swap: %s", strerror(errno));
	madvise(s, bytes, MADV_DONTDUMP);
	return s;
}

struct secrets *secrets_new(void)
{
	return secrets_pages(sizeof(struct secrets));
}

void secrets_pages_free(void *s, size_t bytes)
{
	if (!s)
		return;
	secret_wipe(s, bytes);
	munlock(s, bytes);
	munmap(s, bytes);
}

void secrets_free(struct secrets *s)
{
	secrets_pages_free(s, sizeof *s);
}

/* Reads up to the end of the file. Returns bytes, or -1: error or too long. */
static ssize_t read_all(int fd, char *buffer, size_t capacity)
{
	size_t have = 0;

	for (;;) {
		ssize_t got = have < capacity ? read(fd, buffer + have, capacity - have) : -1;

		if (got <= 0)
			return got ? -1 : (ssize_t)have;
		have += got;
	}
}

/*
 * Reads a line without its newline. Returns bytes, or -1: error, too long, or a
 * signal. `waiting` is the signal mask while it waits; the signals that shall end
 * the wait are blocked otherwise, so that none is missed just before it.
 */
static ssize_t read_line(int fd, char *buffer, size_t capacity, const sigset_t *waiting)
{
	struct pollfd input = {.fd = fd, .events = POLLIN};

	for (size_t have = 0; have < capacity; have++) {
		if (ppoll(&input, 1, NULL, waiting) != 1 || read(fd, buffer + have, 1) != 1)
			return -1;
		if (buffer[have] == '\n')
			return have;
	}
	return -1;
}

static int from_file(struct secrets *s, const char *file)
{
	int standard_input = !strcmp(file, "-");
	int fd = standard_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	ssize_t bytes;

	if (fd < 0) {
		log_error("%s: %s", file, strerror(errno));
		return EXITS_FAILED;
	}
	bytes = read_all(fd, s->passphrase, sizeof s->passphrase);
	if (!standard_input)
		close(fd);
	if (bytes < 0) {
		log_error("%s: cannot be read, or holds more than %u bytes", file, PASSPHRASE_MAX - 1);
		return EXITS_FAILED;
	}
	if (bytes && s->passphrase[bytes - 1] == '\n')
		bytes--;
	s->passphrase_bytes = bytes;
	return EXITS_OK;
}

static ssize_t ask(int terminal, const char *prompt, char *buffer)
{
	struct termios shown, hidden;
	sigset_t ending, before;
	ssize_t bytes;

	if (tcgetattr(terminal, &shown))
		return -1;
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, &before);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	bytes = -1;
	if (!tcsetattr(terminal, TCSAFLUSH, &hidden)) {
		/* Only now: what is typed in answer shall not be echoed, nor flushed. */
		dprintf(terminal, "%s", prompt);
		bytes = read_line(terminal, buffer, PASSPHRASE_MAX, &before);
		tcsetattr(terminal, TCSAFLUSH, &shown);
		dprintf(terminal, "\n");
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return bytes;
}

/* `what` and `instead` stand in sentences; `prompt` asks for it, twice when it is `new`. */
static int from_terminal(struct secrets *s, const char *what, const char *instead, const char *prompt, int new)
{
	char again[PASSPHRASE_MAX];
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	ssize_t bytes, second;
	int result = EXITS_FAILED;

	if (terminal < 0) {
		log_error("there is no terminal to ask for the %s; use %s", what, instead);
		return EXITS_USAGE;
	}
	bytes = ask(terminal, prompt, s->passphrase);
	second = new &&bytes > 0 ? ask(terminal, "The same again: ", again) : bytes;
	if (bytes < 0 || second < 0)
		log_error("no %s was typed, or it is longer than %u bytes", what, PASSPHRASE_MAX - 1);
	else if (new && (bytes != second || memcmp(s->passphrase, again, bytes)))
		log_error("the two %ss differ", what);
	else
		result = EXITS_OK;
	s->passphrase_bytes = result ? 0 : bytes;
	secret_wipe(again, sizeof again);
	close(terminal);
	return result;
}

static int check(const struct secrets *s, const char *what)
{
	if (s->passphrase_bytes)
		return EXITS_OK;
	log_error("the %s is empty", what);
	return EXITS_FAILED;
}

int secrets_passphrase(struct secrets *s, const char *file, int new)
{
	const char *prompt = new ? "New passphrase: " : "Passphrase: ";
	int err = file ? from_file(s, file) : from_terminal(s, "passphrase", "--passphrase-file", prompt, new);

	return err ? err : check(s, "passphrase");
}

int secrets_card_pin(struct secrets *s, const char *file)
{
	int err = file ? from_file(s, file) : from_terminal(s, "PIN", "--pin-file", "PIN: ", 0);

	return err ? err : check(s, "PIN");
}

int secrets_recovery_key(struct secrets *s)
{
	uint8_t key[RECOVERY_KEY_BYTES];
	int err = EXITS_OK;

	if (getrandom(key, sizeof key, 0) == sizeof key) {
		recovery_key_text(key, s->passphrase);
		s->passphrase_bytes = RECOVERY_KEY_TEXT;
	} else {
		log_error("no random numbers: %s", strerror(errno));
		err = EXITS_FAILED;
	}
	secret_wipe(key, sizeof key);
	return err;
}

void secrets_key_text(struct secrets *s)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < VOLUME_KEY_BYTES; i++) {
		s->passphrase[2 * i] = digits[s->key[i] >> 4];
		s->passphrase[2 * i + 1] = digits[s->key[i] & 15];
	}
	s->passphrase_bytes = 2 * VOLUME_KEY_BYTES;
}

int secrets_show(const struct secrets *s)
{
	struct iovec line[] = {
		{(void *)s->passphrase, s->passphrase_bytes},
		{"\n",		1			 },
	};

	/* Not through stdio, whose buffer would keep it. */
	if (writev(STDOUT_FILENO, line, 2) == (ssize_t)s->passphrase_bytes + 1)
		return EXITS_OK;
	log_error("standard output: %s", strerror(errno));
	return EXITS_FAILED;
}
