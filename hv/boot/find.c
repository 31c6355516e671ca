/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/boot/find.h"
#include "hv/boot/controller.h"
#include "hv/boot/gpt.h"
#include <efilib.h>
#include <string.h>

/* GPT type 1d5d394a-edf1-4960-8ec5-fe12396a73c0: a header partition. */
static const UINT8 header_type[16] = {
	0x4a, 0x39, 0x5d, 0x1d, 0xf1, 0xed, 0x60, 0x49, 0x8e, 0xc5, 0xfe, 0x12, 0x39, 0x6a, 0x73, 0xc0};

struct search {
	struct volume *volumes;
	UINTN capacity, count, headers;
	VOID *scratch, *tables;
};

struct disk {
	EFI_HANDLE handle;
	struct disk_window window;
	struct gpt gpt;
};

static int read_window(void *context, uint64_t offset, void *buffer, size_t bytes)
{
	const struct disk_window *window = context;
	EFI_STATUS status = window->io->ReadDisk(
		window->io, window->media_id, window->first_byte + offset, bytes, buffer);

	return EFI_ERROR(status) ? -1 : 0;
}

struct luks2_source volume_source(struct volume *volume)
{
	return (struct luks2_source){
		.read = read_window, .context = &volume->window, .bytes = volume->header_bytes};
}

/* A failed check in two parts: the sentence, and a clause that may be empty. */
struct refusal {
	const char *sentence, *detail;
};

static const struct refusal fits = {NULL, ""};
static const struct refusal twofold = {
	"Two NVMe disks show it: one may be a copy of the other, or one disk is reached over two controllers.", ""};

/* `name (1a2b3c4d)`, or the second alone where the partition has no name. */
static void name_volume(struct volume *volume, const struct gpt_partition *partition)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = strlen(partition->name);

	memcpy(volume->name, partition->name, at);
	if (at) {
		memcpy(volume->name + at, " (", 2);
		at += 2;
	}
	for (int i = 3; i >= 0; i--) {
		volume->name[at++] = digits[partition->guid[i] >> 4];
		volume->name[at++] = digits[partition->guid[i] & 15];
	}
	if (*partition->name)
		volume->name[at++] = ')';
	volume->name[at] = 0;
}

/*
 * A volume may be found once. Twice on NVMe disks it may be one namespace that two
 * controllers show, and a system that uses both would go past the mediator of the
 * one: then neither is unlocked.
 */
static struct refusal check_known(const struct search *search, const struct volume *volume)
{
	for (UINTN i = 0; i < search->count; i++) {
		struct volume *known = &search->volumes[i];

		if (memcmp(&known->place, &volume->place, sizeof(known->place)))
			continue;
		if (known->disk == volume->disk || known->boot.controller != BOOT_CONTROLLER_NVME ||
			volume->boot.controller != BOOT_CONTROLLER_NVME)
			return (struct refusal){"There is a second encryption header for it.", ""};
		known->twofold = TRUE;
		return twofold;
	}
	return fits;
}

/* The segment must be the whole partition, in sectors the disk can address. */
static struct refusal check_segment(const struct luks2 *header, const struct luks2_place *place)
{
	UINT64 bytes = (place->last_lba - place->first_lba + 1) * place->lba_bytes;

	if (header->segment.offset || (header->segment.bytes && header->segment.bytes != bytes))
		return (struct refusal){
			luks2_error_text(LUKS2_UNSUPPORTED), "only a part of the partition is encrypted"};
	if (header->segment.sector_bytes < place->lba_bytes || bytes % header->segment.sector_bytes)
		return (struct refusal){
			luks2_error_text(LUKS2_MALFORMED), "its sector size does not fit the disk's"};
	return fits;
}

/* `header_index` is the table entry of its header partition. */
static struct refusal check_place(const struct disk *disk, uint32_t header_index, struct volume *volume)
{
	struct luks2 *header = &volume->header;
	struct gpt_partition partition;
	enum luks2_error error;
	uint32_t index;

	if (!header->has_token)
		return (struct refusal){luks2_error_text(LUKS2_NO_TOKEN), ""};
	if (!gpt_find(&disk->gpt, header->token.partuuid, &partition, &index))
		return (struct refusal){"The partition it belongs to is not on this disk.", ""};
	name_volume(volume, &partition);
	memcpy(volume->place.partuuid, partition.guid, 16);
	memcpy(volume->place.disk_guid, disk->gpt.disk_guid, 16);
	volume->place.first_lba = partition.first_lba;
	volume->place.last_lba = partition.last_lba;
	volume->place.lba_bytes = disk->gpt.lba_bytes;
	volume->boot.gpt = gpt_place_of(&disk->gpt, index, header_index);
	error = luks2_check_place(header, &volume->place);
	if (error)
		return (struct refusal){luks2_error_text(error), header->detail};
	return check_segment(header, &volume->place);
}

static void tell_damage(const struct volume *volume)
{
	static const char *const copies[] = {"first", "second"};

	for (int i = 0; i < 2; i++)
		if (volume->header.copy[i] != LUKS2_COPY_WHOLE)
			Print(L"%a: the %a copy of its encryption header is damaged, the other one is used. "
			      L"Please run `cryptsetup repair` on it from a rescue system.\n",
				volume->name, copies[i]);
}

static void describe(const struct disk *disk, const struct gpt_partition *header, struct volume *volume)
{
	struct boot_volume *boot = &volume->boot;

	boot->lba_bytes = disk->gpt.lba_bytes;
	boot->sector_bytes = volume->header.segment.sector_bytes;
	boot->first_lba = volume->place.first_lba;
	boot->last_lba = volume->place.last_lba;
	boot->header_first_lba = header->first_lba;
	boot->header_last_lba = header->last_lba;
	boot->iv_offset = volume->header.segment.iv_tweak;
	memcpy(boot->uuid, volume->header.uuid, sizeof(boot->uuid));
}

static struct refusal examine(struct search *search, const struct disk *disk, uint32_t index,
	const struct gpt_partition *partition, struct volume *volume)
{
	struct luks2_source source;
	struct refusal refusal;
	enum luks2_error error;

	name_volume(volume, partition);
	volume->disk = disk->handle;
	volume->window = disk->window;
	volume->window.first_byte = partition->first_lba * disk->gpt.lba_bytes;
	volume->header_bytes = (partition->last_lba - partition->first_lba + 1) * disk->gpt.lba_bytes;
	source = volume_source(volume);
	error = luks2_read(&volume->header, &source, search->scratch);
	if (error)
		return (struct refusal){luks2_error_text(error), volume->header.detail};
	refusal = check_place(disk, index, volume);
	if (refusal.sentence)
		return refusal;
	refusal.sentence = controller_of_disk(disk->handle, &volume->boot, &refusal.detail);
	if (!refusal.sentence)
		refusal = check_known(search, volume);
	if (refusal.sentence)
		return refusal;
	tell_damage(volume);
	describe(disk, partition, volume);
	return fits;
}

static void tell_locked(const struct volume *volume, struct refusal refusal)
{
	if (*refusal.detail)
		Print(L"%a stays locked. %a (%a)\n", volume->name, refusal.sentence, refusal.detail);
	else
		Print(L"%a stays locked. %a\n", volume->name, refusal.sentence);
}

static void search_disk(struct search *search, const struct disk *disk)
{
	struct gpt_partition partition;

	for (uint32_t i = 0; i < disk->gpt.entries; i++) {
		struct volume *volume = &search->volumes[search->count];
		struct refusal refusal;

		if (!gpt_partition(&disk->gpt, i, &partition) || memcmp(partition.type, header_type, 16))
			continue;
		search->headers++;
		if (search->count == search->capacity) {
			Print(L"There are more than %d encrypted volumes, the others stay locked.\n",
				(int)search->capacity);
			return;
		}
		memset(volume, 0, sizeof(*volume));
		refusal = examine(search, disk, i, &partition, volume);
		if (!refusal.sentence)
			search->count++;
		else
			tell_locked(volume, refusal);
	}
}

/* Opens a whole disk with a partition table; false for everything else. */
static BOOLEAN open_disk(EFI_HANDLE handle, VOID *tables, struct disk *disk)
{
	EFI_BLOCK_IO_PROTOCOL *block;
	struct luks2_source source;

	memset(disk, 0, sizeof(*disk));
	disk->handle = handle;
	if (EFI_ERROR(BS->HandleProtocol(handle, &gEfiBlockIoProtocolGuid, (VOID **)&block)) ||
		EFI_ERROR(BS->HandleProtocol(handle, &gEfiDiskIoProtocolGuid, (VOID **)&disk->window.io)) ||
		block->Media->LogicalPartition || !block->Media->MediaPresent || !block->Media->BlockSize)
		return FALSE;
	disk->window.media_id = block->Media->MediaId;
	source.read = read_window;
	source.context = &disk->window;
	source.bytes = (block->Media->LastBlock + 1) * block->Media->BlockSize;
	return gpt_read(&disk->gpt, &source, block->Media->BlockSize, tables) == 0;
}

/* Those that were found again later. */
static void drop_twofold(struct search *search)
{
	UINTN kept = 0;

	for (UINTN i = 0; i < search->count; i++) {
		if (search->volumes[i].twofold)
			tell_locked(&search->volumes[i], twofold);
		else if (kept++ != i)
			search->volumes[kept - 1] = search->volumes[i];
	}
	search->count = kept;
}

UINTN find_volumes(struct volume *volumes, UINTN capacity, VOID *scratch, VOID *tables, UINTN *headers)
{
	struct search search = {volumes, capacity, 0, 0, scratch, tables};
	EFI_HANDLE *handles = NULL;
	UINTN count = 0;
	struct disk disk;

	controllers_connect_disks();
	if (!EFI_ERROR(
		    BS->LocateHandleBuffer(ByProtocol, &gEfiBlockIoProtocolGuid, NULL, &count, &handles))) {
		for (UINTN i = 0; i < count; i++)
			if (open_disk(handles[i], tables, &disk))
				search_disk(&search, &disk);
		BS->FreePool(handles);
	}
	drop_twofold(&search);
	*headers = search.headers;
	return search.count;
}
