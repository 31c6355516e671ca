/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/guest.h"
#include "installer/exits.h"
#include "installer/hypercall.h"
#include "installer/report.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES 24
#define UUID_BYTES 48
#define LOG_BYTES  16 /* per call */

struct info {
	unsigned major, minor, patch;
	char backend[9];
	unsigned cpus, volumes, reserved_mib;
};

static int read_info(struct info *info)
{
	struct hypercall call;

	if (hypercall(&call, HYPERCALL_INFO, 0, 0) || call.result ||
		((call.rcx & 0xffffff) != 0x6d7673 && (call.rcx & 0xffffff) != 0x786d76)) {
		log_error("this system does not run beneath underseal");
		return EXITS_NOT_BENEATH;
	}
	info->major = call.rbx >> 32;
	info->minor = call.rbx >> 16 & 0xffff;
	info->patch = call.rbx & 0xffff;
	memcpy(info->backend, &call.rcx, 8);
	info->backend[8] = 0;
	info->cpus = call.rdx;
	info->volumes = (uint32_t)call.rsi;
	info->reserved_mib = call.rsi >> 32;
	return EXITS_OK;
}

static int protocol_error(const char *what)
{
	log_error("the hypervisor does not answer for %s; its version differs from this command's", what);
	return EXITS_FAILED;
}

static struct json_object *read_volume(unsigned index)
{
	char uuid[UUID_BYTES + 1] = "", pci[16];
	struct hypercall place, word;
	struct json_object *volume;

	if (hypercall(&place, HYPERCALL_VOLUME, index, 0) || place.result)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t text[3];

		if (hypercall(&word, HYPERCALL_VOLUME, index, 1 + i) || word.result)
			return NULL;
		text[0] = word.rbx, text[1] = word.rcx, text[2] = word.rdx;
		memcpy(uuid + i * sizeof text, text, sizeof text);
	}
	snprintf(pci, sizeof pci, "%02x:%02x.%x", (unsigned)(place.rsi >> 8 & 0xff),
		(unsigned)(place.rsi >> 3 & 0x1f), (unsigned)(place.rsi & 7));
	volume = json_object_new_object();
	report_text(volume, "uuid", uuid);
	report_number(volume, "first_lba", place.rbx);
	report_number(volume, "last_lba", place.rcx);
	report_number(volume, "sector_size", (uint32_t)place.rdx);
	report_text(volume, "pci", pci);
	report_number(volume, "port", place.rdx >> 32);
	report_text(volume, "controller", place.rsi >> 32 == 1 ? "ahci" : "unknown");
	return volume;
}

static void print_status(struct json_object *root)
{
	struct json_object *volumes = report_get(root, "volumes");

	printf("underseal %s on %s, %llu CPUs, %llu MiB reserved\n", report_get_text(root, "version"),
		report_get_text(root, "backend"), (unsigned long long)report_get_number(root, "cpus"),
		(unsigned long long)report_get_number(root, "reserved_mib"));
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		struct json_object *v = json_object_array_get_idx(volumes, i);

		printf("volume %zu  %s  %s %s port %llu, sectors %llu to %llu, cipher sectors of %llu "
		       "bytes\n",
			i, report_get_text(v, "uuid"), report_get_text(v, "controller"),
			report_get_text(v, "pci"), (unsigned long long)report_get_number(v, "port"),
			(unsigned long long)report_get_number(v, "first_lba"),
			(unsigned long long)report_get_number(v, "last_lba"),
			(unsigned long long)report_get_number(v, "sector_size"));
	}
	if (!json_object_array_length(volumes))
		puts("no volume is unlocked");
}

int guest_status(int json)
{
	struct json_object *root, *volumes;
	struct info info;
	char version[48];
	int err = read_info(&info);

	if (err)
		return err;
	root = json_object_new_object();
	volumes = json_object_new_array();
	snprintf(version, sizeof version, "%u.%u.%u", info.major, info.minor, info.patch);
	report_text(root, "version", version);
	report_text(root, "backend", info.backend);
	report_number(root, "cpus", info.cpus);
	report_number(root, "reserved_mib", info.reserved_mib);
	json_object_object_add(root, "volumes", volumes);
	for (unsigned i = 0; !err && i < info.volumes; i++) {
		struct json_object *volume = read_volume(i);

		if (volume)
			json_object_array_add(volumes, volume);
		else
			err = protocol_error("a volume");
	}
	if (!err && json)
		report_print(root);
	else if (!err)
		print_status(root);
	json_object_put(root);
	return err;
}

/* One counter on every CPU, as {"name", "total", "cpu": [...]}; NULL past the last. */
static struct json_object *read_counter(const struct info *info, unsigned index)
{
	struct json_object *counter = NULL, *each = NULL;
	uint64_t total = 0;

	for (unsigned cpu = 0; cpu < info->cpus; cpu++) {
		struct hypercall call;

		if (hypercall(&call, HYPERCALL_COUNTER, cpu, index) || call.result)
			break;
		if (!counter) {
			uint64_t words[3] = {call.rcx, call.rdx, call.rsi};
			char name[NAME_BYTES + 1] = "";

			memcpy(name, words, sizeof words);
			counter = json_object_new_object();
			each = json_object_new_array();
			report_text(counter, "name", name);
		}
		json_object_array_add(each, json_object_new_uint64(call.rbx));
		total += call.rbx;
	}
	if (counter) {
		report_number(counter, "total", total);
		json_object_object_add(counter, "cpu", each);
	}
	return counter;
}

static void print_counters(struct json_object *counters, unsigned cpus)
{
	printf("%-24s %14s", "exits", "total");
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		printf("        CPU %-2u", cpu);
	putchar('\n');
	for (size_t i = 0; i < json_object_array_length(counters); i++) {
		struct json_object *counter = json_object_array_get_idx(counters, i);
		struct json_object *each = report_get(counter, "cpu");

		printf("%-24s %14llu", report_get_text(counter, "name"),
			(unsigned long long)report_get_number(counter, "total"));
		for (size_t cpu = 0; cpu < json_object_array_length(each); cpu++)
			printf(" %13llu", (unsigned long long)json_object_get_uint64(
						  json_object_array_get_idx(each, cpu)));
		putchar('\n');
	}
}

int guest_stat(int json)
{
	struct json_object *root, *counters, *counter;
	struct info info;
	int err = read_info(&info);

	if (err)
		return err;
	root = json_object_new_object();
	counters = json_object_new_array();
	report_number(root, "cpus", info.cpus);
	json_object_object_add(root, "counters", counters);
	for (unsigned i = 0; (counter = read_counter(&info, i)); i++)
		json_object_array_add(counters, counter);
	if (json)
		report_print(root);
	else
		print_counters(counters, info.cpus);
	json_object_put(root);
	return EXITS_OK;
}

/* Writes the log to `out`; *lost counts the bytes that the ring no longer has. */
static int copy_log(FILE *out, uint64_t *lost)
{
	struct hypercall call;
	uint64_t at = 0;

	*lost = 0;
	for (;;) {
		uint64_t words[2];

		if (hypercall(&call, HYPERCALL_LOG, at, 0) || call.result || call.rbx < at ||
			call.rcx > LOG_BYTES)
			return protocol_error("its log");
		if (!call.rcx)
			return EXITS_OK;
		*lost += call.rbx - at;
		words[0] = call.rdx, words[1] = call.rsi;
		fwrite(words, 1, call.rcx, out);
		at = call.rbx + call.rcx;
	}
}

int guest_log(int json)
{
	struct json_object *root;
	char *text = NULL;
	size_t bytes = 0;
	struct info info;
	uint64_t lost;
	FILE *out;
	int err = read_info(&info);

	if (err)
		return err;
	out = open_memstream(&text, &bytes);
	err = out ? copy_log(out, &lost) : EXITS_FAILED;
	if (out)
		fclose(out);
	if (!err && json) {
		root = json_object_new_object();
		report_number(root, "lost", lost);
		json_object_object_add(root, "text", json_object_new_string_len(text, bytes));
		report_print(root);
		json_object_put(root);
	} else if (!err) {
		if (lost)
			printf("[%llu older bytes are lost]\n", (unsigned long long)lost);
		fwrite(text, 1, bytes, stdout);
	}
	free(text);
	return err;
}
