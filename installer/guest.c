/* SPDX-License-Identifier: Apache-2.0 */
#include "installer/guest.h"
#include "hv/core/boot_info.h"
#include "installer/exits.h"
#include "installer/hypercall.h"
#include "installer/report.h"
#include "storage/port.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES 24
#define UUID_BYTES 48

/* Whether who answers is underseal: it names its backend, svm or vmx. */
static int ask_info(struct hypercall *call)
{
	return !hypercall(call, HYPERCALL_INFO, 0, 0) && !call->result &&
	       ((call->rcx & 0xffffff) == 0x6d7673 || (call->rcx & 0xffffff) == 0x786d76);
}

int guest_is_beneath(void)
{
	struct hypercall call;

	return ask_info(&call);
}

int guest_read_info(struct guest_info *info)
{
	struct hypercall call;

	if (!ask_info(&call)) {
		log_error("this system does not run beneath underseal");
		return EXITS_NOT_BENEATH;
	}
	info->major = call.rbx >> 32;
	info->minor = call.rbx >> 16 & 0xffff;
	info->patch = call.rbx & 0xffff;
	memcpy(info->backend, &call.rcx, 8);
	info->backend[8] = 0;
	info->cpus = (uint32_t)call.rdx;
	info->icr_fast = call.rdx >> 32 & HYPERCALL_ICR_FAST;
	info->volumes = (uint32_t)call.rsi;
	info->reserved_mib = call.rsi >> 32;
	return EXITS_OK;
}

int guest_protocol_error(const char *what)
{
	log_error("the hypervisor does not answer for %s; its version differs from this command's", what);
	return EXITS_FAILED;
}

static const char *name_of(uint64_t controller)
{
	switch (controller) {
	case BOOT_CONTROLLER_AHCI:
		return "ahci";
	case BOOT_CONTROLLER_NVME:
		return "nvme";
	case BOOT_CONTROLLER_ATA:
		return "ata";
	}
	return "unknown";
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
	report_number(volume, place.rsi >> 32 == BOOT_CONTROLLER_NVME ? "namespace" : "port", place.rdx >> 32);
	report_text(volume, "controller", name_of(place.rsi >> 32));
	return volume;
}

static void print_status(struct json_object *root)
{
	struct json_object *volumes = report_get(root, "volumes");

	printf("underseal %s on %s, %llu CPUs, %llu MiB reserved\n", report_get_text(root, "version"),
		report_get_text(root, "backend"), (unsigned long long)report_get_number(root, "cpus"),
		(unsigned long long)report_get_number(root, "reserved_mib"));
	if (!strcmp(report_get_text(root, "icr"), "fast"))
		puts("icr=fast: a CPU that the system takes offline and starts again may run outside the\n"
		     "hypervisor, and its disk writes are then not encrypted; see underseal.conf");
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		struct json_object *v = json_object_array_get_idx(volumes, i);
		const char *unit = report_get(v, "namespace") ? "namespace" : "port";

		printf("volume %zu  %s  %s %s %s %llu, sectors %llu to %llu, cipher sectors of %llu "
		       "bytes\n",
			i, report_get_text(v, "uuid"), report_get_text(v, "controller"),
			report_get_text(v, "pci"), unit, (unsigned long long)report_get_number(v, unit),
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
	struct guest_info info;
	char version[48];
	int err = guest_read_info(&info);

	if (err)
		return err;
	root = json_object_new_object();
	volumes = json_object_new_array();
	snprintf(version, sizeof version, "%u.%u.%u", info.major, info.minor, info.patch);
	report_text(root, "version", version);
	report_text(root, "backend", info.backend);
	report_number(root, "cpus", info.cpus);
	report_number(root, "reserved_mib", info.reserved_mib);
	report_text(root, "icr", info.icr_fast ? "fast" : "keep");
	json_object_object_add(root, "volumes", volumes);
	for (unsigned i = 0; !err && i < info.volumes; i++) {
		struct json_object *volume = read_volume(i);

		if (volume)
			json_object_array_add(volumes, volume);
		else
			err = guest_protocol_error("a volume");
	}
	if (!err && json)
		report_print(root);
	else if (!err)
		print_status(root);
	json_object_put(root);
	return err;
}

/* One counter on every CPU, as {"name", "total", "cpu": [...]}; NULL past the last. */
static struct json_object *read_counter(const struct guest_info *info, unsigned index)
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
	struct guest_info info;
	int err = guest_read_info(&info);

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
