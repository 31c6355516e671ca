/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every instruction that drivers use on device registers, with every operand size and
 * addressing form, on registers that are trapped: results, flags, the device's state.
 */
#include "tests/guest/conform/conform.h"
#include "tests/guest/conform/encode.h"
#include "storage/ahci/registers.h"
#include "tests/guest/lib/ahci.h"

#define LOW         (HBA_PORTS + PORT_CLB)
#define HIGH        (HBA_PORTS + PORT_CLBU)
#define NEXT        (HBA_PORTS + PORT_FB)
#define BEFORE_LOW  0x12345400u
#define BEFORE_HIGH 0x92345678u
#define STOP_US        1000000

static volatile uint32_t *port(void)
{
	return (volatile uint32_t *)(DEVICE + HBA_PORTS);
}

/* With its engine off a port's list address is a scratch register. */
static void stop_engine(void)
{
	port()[PORT_CMD / 4] &= ~CMD_ST;
	if (!WAIT_UNTIL(!(port()[PORT_CMD / 4] & CMD_CR), STOP_US))
		guest_fail("the port does not stop");
	port()[PORT_CMD / 4] &= ~CMD_FRE;
	if (!WAIT_UNTIL(!(port()[PORT_CMD / 4] & CMD_FR), STOP_US))
		guest_fail("the port does not stop receiving");
}

/*
 * Up to 32 bits go to the upper half, all of whose bits are the system's; 64 to both.
 * The lower half's last ten bits and the next register's last eight are reserved. A
 * write of less than 32 bits may or may not leave the rest: only its own bytes count.
 */
static uint64_t target(unsigned size)
{
	return DEVICE + (size == 8 ? LOW : HIGH);
}

struct device {
	uint32_t next, high, low;
};

static struct device device_state(unsigned size)
{
	uint32_t high = port()[PORT_CLBU / 4];

	return (struct device){port()[PORT_FB / 4] & ~0xffu, size < 4 ? high & ((1u << 8 * size) - 1) : high,
		port()[PORT_CLB / 4] & ~0x3ffu};
}

static const char *device(unsigned size)
{
	struct device d = device_state(size);

	return text("%08x %08x %08x", d.next, d.high, d.low);
}

static void before(struct run *r, const struct code *code, unsigned size, bool flags, bool other)
{
	port()[PORT_CLB / 4] = BEFORE_LOW;
	port()[PORT_CLBU / 4] = BEFORE_HIGH;
	port()[PORT_FB / 4] = 0;
	snippet_prepare(r);
	for (unsigned i = 8; i < 16; i++)
		r->gpr[i] = 0x0101010101010101 * i;
	r->gpr[0] = other ? 0x5555aaaa77778888 : size == 8 ? (uint64_t)BEFORE_HIGH << 32 | BEFORE_LOW : BEFORE_HIGH;
	r->gpr[1] = 0x0807060504030201;
	r->gpr[2] = 0xf0f1f2f3f4f5f6f7;
	r->gpr[3] = code->bits ? 0x2b : 0x1122334455667788;
	r->gpr[code->base_register] = code->base_value;
	if (code->index_register)
		r->gpr[code->index_register] = code->index_value;
	r->rflags |= flags ? FLAGS_COMPUTED : 0;
}

/* All that a run leaves behind, in one word. */
static uint64_t outcome(const struct run *r, unsigned size)
{
	struct device d = device_state(size);
	const uint64_t all[] = {r->vector, r->error, r->rip, r->rflags, digest(&d, sizeof(d)),
		digest(r->gpr, sizeof(r->gpr))};

	return digest(all, sizeof(all));
}

static void one_run(const struct code *code, unsigned size, unsigned turn, bool wide, struct run *r)
{
	before(r, code, size, turn & 1, turn & 2);
	if (!wide) {
		r->cs = SELECTOR_CODE32;
		for (unsigned i = 0; i < 8; i++)
			r->gpr[i] = (uint32_t)r->gpr[i];
	}
	wrmsr(MSR_GS_BASE, ENCODE_GS_BASE);
	bytes_run(r, code->bytes, code->count);
	wrmsr(MSR_GS_BASE, 0);
}

/* The line shows the plainest form, and the hash of all; with the option `verbose` each has its own. */
static void one_form(const struct form *form, unsigned size, bool wide, bool locked)
{
	const char *name = text("%s%s%s %u", wide ? "" : "32-bit ", locked ? "lock " : "", form->name, 8 * size);
	const char *plain = NULL;
	uint64_t all = 0;

	for (unsigned address = 0; address < ENCODE_ADDRESSES; address++)
		for (unsigned turn = 0; turn < 4; turn++) {
			struct code code;
			struct run r;

			if (!encode(form, size, address, wide, locked, target(size), &code))
				continue;
			one_run(&code, size, turn, wide, &r);
			all = all * 31 + outcome(&r, size);
			if (plain && !option("verbose"))
				continue;
			const char *line = text("%s, rax %lx rbx %lx flags %lx device %s", ending(&r), r.gpr[0], r.gpr[3],
				r.rflags, device(size));
			if (!plain)
				plain = line;
			if (option("verbose"))
				fact("%s, address %u, turn %u = %s", name, address, turn, line);
		}
	if (!option("verbose"))
		fact("%s = %s, all %lx", name, plain, all);
}

static void all_forms(bool wide)
{
	for (const struct form *form = encode_forms; form->name; form++)
		for (unsigned size = 1; size <= (wide ? 8 : 4); size *= 2) {
			if (!(form->sizes & size))
				continue;
			one_form(form, size, wide, false);
			if (form->flags & FORM_LOCKABLE)
				one_form(form, size, wide, true);
		}
}

SNIPPET(movs_b, "movsb");
SNIPPET(movs_w, "movsw");
SNIPPET(movs_l, "movsl");
SNIPPET(movs_q, "movsq");
SNIPPET(stos_b, "stosb");
SNIPPET(stos_w, "stosw");
SNIPPET(stos_l, "stosl");
SNIPPET(stos_q, "stosq");
SNIPPET(lods_b, "lodsb");
SNIPPET(lods_w, "lodsw");
SNIPPET(lods_l, "lodsl");
SNIPPET(lods_q, "lodsq");
SNIPPET(rep_movs_b, "rep movsb");
SNIPPET(rep_movs_l, "rep movsl");
SNIPPET(rep_movs_q, "rep movsq");
SNIPPET(repne_movs_l, "repne movsl");
SNIPPET(rep_stos_l, "rep stosl");
SNIPPET(rep_lods_l, "rep lodsl");
SNIPPET(rep_movs_l_67, "rep movsl (%esi), (%edi)");
SNIPPET(movs_gs, "gs movsl");

static void strings(void)
{
	static const struct {
		const char *name;
		const struct snippet *code;
		unsigned size;
	} all[] = {{"movsb", &movs_b, 1}, {"movsw", &movs_w, 2}, {"movsl", &movs_l, 4}, {"movsq", &movs_q, 8}, {"stosb", &stos_b, 1},
		{"stosw", &stos_w, 2}, {"stosl", &stos_l, 4}, {"stosq", &stos_q, 8}, {"lodsb", &lods_b, 1}, {"lodsw", &lods_w, 2},
		{"lodsl", &lods_l, 4}, {"lodsq", &lods_q, 8}, {"rep movsb", &rep_movs_b, 1}, {"rep movsl", &rep_movs_l, 4},
		{"rep movsq", &rep_movs_q, 8}, {"repne movsl", &repne_movs_l, 4}, {"rep stosl", &rep_stos_l, 4},
		{"rep lodsl", &rep_lods_l, 4}, {"rep movsl 32", &rep_movs_l_67, 4}, {"gs movsl", &movs_gs, 4}};
	static const struct {
		const char *name;
		uint64_t from, to;
	} ways[] = {{"from", DEVICE + LOW, RAM + 64}, {"to", RAM + 64, DEVICE + HIGH},
		{"within", DEVICE + LOW, DEVICE + HIGH}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (unsigned way = 0; way < (all[i].size == 1 ? 1 : 3); way++)
			for (unsigned down = 0; down < 2; down++) {
				static const struct code none;
				struct run r;

				stage_set(false);
				before(&r, &none, 8, false, false);
				snippet_prepare(&r);
				r.gpr[0] = 0x8877665544332211;
				r.gpr[1] = 2;
				r.gpr[6] = ways[way].from;
				r.gpr[7] = ways[way].to == DEVICE + HIGH && all[i].size == 8 ? DEVICE + NEXT : ways[way].to;
				r.rflags |= down ? RFLAGS_DF : 0;
				snippet_run(&r, all[i].code);
				fact("%s %s %s = %s, rax %lx rcx %lx rsi %lx rdi %lx device %s ram %lx", all[i].name,
					ways[way].name, down ? "down" : "up", ending(&r), r.gpr[0], r.gpr[1], r.gpr[6] - RAM,
					r.gpr[7] - RAM, device(all[i].size),
					digest(stage_memory(STAGE_RAM), 4096));
			}
}

/* Registers that only tell, and what stands where none is, by every width. */
static void reads(void)
{
	static const uint16_t places[] = {HBA_CAP, HBA_PI, 0x10, 0x24, 0x2c, 0x60, 0xa0, HBA_PORTS + PORT_SIG,
		HBA_PORTS + PORT_SSTS, HBA_PORTS + 0x44, HBA_PORTS + 0x70, HBA_PORTS + 0x80 * 8, 0xff8};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t at = DEVICE + places[i];

		fact("read %x = %02x %02x %04x %04x %08x %lx", places[i], *(volatile uint8_t *)at,
			*(volatile uint8_t *)(at + 3), *(volatile uint16_t *)at, *(volatile uint16_t *)(at + 2),
			*(volatile uint32_t *)at, *(volatile uint64_t *)(at & ~7ull));
	}
}

/* The local APIC's page: its task priority by every width and place. */
static void lapic(void)
{
	uint64_t page = STAGE(STAGE_LAPIC);
	static const uint16_t places[] = {LAPIC_TPR, LAPIC_LVT_ERROR, LAPIC_LDR, LAPIC_ID,
		LAPIC_VERSION, LAPIC_ISR, 0x3f0, 0x40, 0x500, 0xff0};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t at = page + places[i];

		fact("lapic read %x = %02x %04x %08x %lx", places[i], *(volatile uint8_t *)at, *(volatile uint16_t *)at,
			*(volatile uint32_t *)at, *(volatile uint64_t *)at);
		for (unsigned size = 1; size <= 4; size *= 2) {
			uint32_t was = *(volatile uint32_t *)at;

			if (places[i] == LAPIC_ID)
				continue;
			if (size == 1)
				*(volatile uint8_t *)at = 0x20;
			else if (size == 2)
				*(volatile uint16_t *)at = 0x2030;
			else
				*(volatile uint32_t *)at = 0x40;
			fact("lapic write %x %u = %08x", places[i], 8 * size, *(volatile uint32_t *)at);
			*(volatile uint32_t *)at = was;
		}
	}
	lapic_begin();
}

/* An access that begins on one page and ends on the next; one of them may be missing. */
static void crossing(void)
{
	uint64_t end = DEVICE + 4096;

	for (unsigned missing = 0; missing < 3; missing++)
		for (unsigned size = 2; size <= 8; size *= 2)
			for (unsigned write = 0; write < 2; write++) {
				struct run r;

				stage_set(false);
				window_map(STAGE_DEVICE + 1, (uint64_t)stage_memory(STAGE_RAM), PAGE_PRESENT | PAGE_WRITE);
				if (missing)
					window_map(STAGE_DEVICE + missing - 1, 0, 0);
				snippet_prepare(&r);
				r.gpr[7] = end - 1;
				r.gpr[0] = 0x1020304050607080;
				const uint8_t code[] = {size == 2 ? 0x66 : size == 8 ? 0x48 : 0x3e, write ? 0x89 : 0x8b, 0x07};
				bytes_run(&r, code, sizeof(code));
				fact("crossing %u %s, missing %u = %s, rax %lx ram %lx", 8 * size, write ? "write" : "read", missing,
					ending(&r), r.gpr[0], *(uint64_t *)stage_memory(STAGE_RAM));
			}
	stage_set(false);
}

void theme_mmio(void)
{
	struct ahci_disk disk;

	/* As after use: firmware may have left the port alone, or not. */
	if (!ahci_open(&disk, 0) || !ahci_transfer(&disk, 1, 1, take_memory(AHCI_SECTOR, 4096), false))
		guest_fail("the disk does not answer");
	stop_engine();
	port()[PORT_SCTL / 4] = 0;
	all_forms(true);
	all_forms(false);
	strings();
	reads();
	lapic();
	crossing();
}
