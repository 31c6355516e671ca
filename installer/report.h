/* SPDX-License-Identifier: Apache-2.0 */
/* What a command reports is one JSON object; --json prints it, a table is made from it. */
#ifndef INSTALLER_REPORT_H
#define INSTALLER_REPORT_H

#include <stdint.h>

struct json_object;

void report_text(struct json_object *object, const char *key, const char *value);
void report_number(struct json_object *object, const char *key, uint64_t value);
struct json_object *report_get(struct json_object *object, const char *key);
const char *report_get_text(struct json_object *object, const char *key); /* "" when missing */
uint64_t report_get_number(struct json_object *object, const char *key);

/* To standard output, indented. */
void report_print(struct json_object *object);

/* "12.3 MiB" into `text`. */
void report_bytes(char text[16], uint64_t bytes);

#endif
