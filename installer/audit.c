/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/audit.h"
#include "installer/exits.h"
#include "installer/node.h"
#include "storage/port.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static void put(struct audit *a, char c)
{
	if (a->bytes < sizeof a->line - 2)
		a->line[a->bytes++] = c;
}

void audit_add(struct audit *a, const char *name, const char *value)
{
	if (!*value)
		return;
	if (a->bytes)
		put(a, ' ');
	while (*name)
		put(a, *name++);
	put(a, '=');
	put(a, '"');
	for (; *value; value++)
		put(a, *value < ' ' || *value > '~' || *value == '"' || *value == '\\' ? '?' : *value);
	put(a, '"');
	a->line[a->bytes] = 0;
}

/* The user as whom somebody logged in, which su and sudo do not change (audit_getloginuid). */
static void add_login(struct audit *a)
{
	char text[16];

	if (!node_first_line("/proc/self/loginuid", text, sizeof text) && strcmp(text, "4294967295"))
		audit_add(a, "login-uid", text);
}

void audit_begin(struct audit *a)
{
	const struct passwd *user = getpwuid(getuid());
	time_t now = time(NULL);
	char text[256];
	struct tm utc;

	memset(a, 0, sizeof *a);
	if (gmtime_r(&now, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		audit_add(a, "time", text);
	if (!gethostname(text, sizeof text - 1))
		audit_add(a, "host", text);
	snprintf(text, sizeof text, "%u", (unsigned)getuid());
	audit_add(a, "user", user ? user->pw_name : text);
	add_login(a);
}

static int append(const struct audit *a, const char *file)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char line[AUDIT_LINE + 1];
	int bytes = snprintf(line, sizeof line, "%s\n", a->line);
	/* One write: lines of two recoveries do not mix. */
	int ok = fd >= 0 && write(fd, line, bytes) == bytes && !fsync(fd);

	if (!ok)
		log_error("%s: %s; no key is given out without a line there", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok ? EXITS_OK : EXITS_FAILED;
}

int audit_write(const struct audit *a, const char *file)
{
	if (file && append(a, file))
		return EXITS_FAILED;
	openlog("underseal", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "%s", a->line);
	closelog();
	return EXITS_OK;
}
