/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of QEMU's translator that counts, for each instruction of our images,
 * how often a machine has executed it. An image is found in the machine by the
 * code of its entry, whatever its address, and every block is compared with the
 * image before it is counted: whoever else runs at these addresses is not.
 *
 *     -plugin plugin.so,image=PATH@ENTRY,...
 *
 * PATH is the image as it lies in memory from offset 0 on, ENTRY the offset of its
 * first function (hexadecimal). PATH.hits has one 64-bit counter for each byte of the
 * image; it is mapped, so counts outlive a machine that is killed, and machines
 * that run at the same time share it.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is used of QEMU's interface, version 1 (docs/devel/tcg-plugins of QEMU); it has no packaged header. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void translated(uint64_t id, struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated *callback);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *counter,
	uint64_t step);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

#define VISIBLE __attribute__((visibility("default")))
extern VISIBLE int qemu_plugin_version;
VISIBLE int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int count, char **arguments);

int qemu_plugin_version = 1;

#define MAX_IMAGES  4
#define ENTRY_BYTES 12 /* so many bytes of the entry tell an image */
#define PAGE        4096

static struct image {
	const uint8_t *bytes;
	uint64_t *hits;
	size_t size;
	uint64_t entry;
	uint64_t base; /* where it was loaded last; 0: not yet */
} images[MAX_IMAGES];
static unsigned image_count;

/* Whether the block is the image's own code, as it would be at `base`; false when it has less than `least` bytes. */
static bool is_block_of(const struct image *image, uint64_t base, const struct qemu_plugin_tb *block, size_t least)
{
	uint64_t at = qemu_plugin_tb_vaddr(block) - base;
	size_t compared = 0;

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
		size_t bytes = qemu_plugin_insn_size(insn);

		if (at >= image->size || bytes > image->size - at ||
		    memcmp(image->bytes + at, qemu_plugin_insn_data(insn), bytes))
			return false;
		at += bytes;
		compared += bytes;
	}
	return compared >= least;
}

static void find(struct image *image, const struct qemu_plugin_tb *block)
{
	uint64_t base = qemu_plugin_tb_vaddr(block) - image->entry;

	if (base % PAGE == 0 && is_block_of(image, base, block, ENTRY_BYTES))
		image->base = base;
}

static void count(struct image *image, const struct qemu_plugin_tb *block)
{
	uint64_t at = qemu_plugin_tb_vaddr(block) - image->base;

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);

		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &image->hits[at], 1);
		at += qemu_plugin_insn_size(insn);
	}
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *block)
{
	(void)id;
	for (unsigned i = 0; i < image_count; i++) {
		find(&images[i], block);
		if (images[i].base && is_block_of(&images[i], images[i].base, block, 0))
			count(&images[i], block);
	}
}

/* Maps `bytes` of a file (all of it for 0), which is made and grown where it may be written. */
static void *map(const char *path, size_t *bytes, bool writable)
{
	int file = open(path, writable ? O_RDWR | O_CREAT : O_RDONLY, 0644);
	struct stat stat;
	void *memory = MAP_FAILED;

	if (file < 0)
		return NULL;
	if (!fstat(file, &stat) && (!writable || !ftruncate(file, (off_t)*bytes))) {
		*bytes = writable ? *bytes : (size_t)stat.st_size;
		memory = mmap(NULL, *bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, file, 0);
	}
	close(file);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool add_image(char *text)
{
	struct image *image = &images[image_count];
	char *at = strrchr(text, '@');
	char hits[4096];
	size_t bytes;

	if (image_count == MAX_IMAGES || !at)
		return false;
	*at = 0;
	image->entry = strtoull(at + 1, NULL, 16);
	image->bytes = map(text, &image->size, false);
	if (!image->bytes)
		return false;
	bytes = image->size * sizeof(*image->hits);
	snprintf(hits, sizeof(hits), "%s.hits", text);
	image->hits = map(hits, &bytes, true);
	image_count += image->hits != NULL;
	return image->hits != NULL;
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int count, char **arguments)
{
	(void)info;
	for (int i = 0; i < count; i++)
		if (strncmp(arguments[i], "image=", 6) || !add_image(arguments[i] + 6))
			return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
