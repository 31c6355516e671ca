/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediated HBA: its registers, command lists of every kind, instructions of
 * every form. Left out: commands that write where they may, which destroy what
 * they should; reads without DMA, of which an emulator dies in the same way as of
 * those that hba_begin() tells of; and addresses in RAM that this program lives in.
 * Writes to the header partition are in: they are refused.
 */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/paging.h"

#define PORTS	    0x100u
#define PORT_BYTES  0x80u
#define PXCLB	    0x00u
#define PXFB	    0x08u
#define PXIS	    0x10u
#define PXCMD	    0x18u
#define PXSACT	    0x34u
#define PXCI	    0x38u
#define ENGINE_RUNS 0x8000u
#define ADDRESS_END 0x10u /* PxCLB to PxFBU */
#define TABLES	    8u	  /* of 512 bytes, on a page; the lists have a page before it */
#define TABLE_BYTES 512u
#define HUGE_BYTES  (2ull << 20)

static uint8_t *guarded_writes; /* a page of tables that stay as they are */
static uint8_t *huge_table;	/* as many entries as a header can say */
static bool medium_reads;

static bool writes(uint8_t opcode)
{
	static const uint8_t writing[] = {0x30, 0x31, 0x34, 0x35, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x61, 0x06, 0xc5, 0xca,
		0xcb, 0xcc, 0xcd, 0xce, 0xe8, 0xe9};

	for (unsigned i = 0; i < sizeof(writing); i++)
		if (writing[i] == opcode)
			return true;
	return false;
}

static bool reads_by_dma(uint8_t opcode)
{
	return opcode == 0x25 || opcode == 0x60 || opcode == 0xc8 || opcode == 0xc9;
}

static bool reads_by_words(uint8_t opcode)
{
	return opcode == 0x20 || opcode == 0x21 || opcode == 0x24 || opcode == 0x29 || opcode == 0xc4;
}

static uint8_t draw_opcode(struct fuzzer *f)
{
	static const uint8_t common[] = {0x60, 0x25, 0xc8, 0xc9, 0x60, 0xec, 0xea, 0x2f, 0xb0, 0x42, 0xef, 0x45, 0xf4, 0xb4};
	uint8_t opcode = one_in(f, 3) ? (uint8_t)draw(f) : common[draw_below(f, sizeof(common))];

	return writes(opcode) || reads_by_words(opcode) || (!medium_reads && reads_by_dma(opcode)) ? 0xec : opcode;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	memcpy(at, &value, bytes);
}

/* Where a buffer may be told to lie, at most as long as it is safe. */
static void put_entry(struct fuzzer *f, uint8_t *entry)
{
	uint64_t address = draw_address(f), scratch = (uint64_t)f->scratch;
	uint32_t length = one_in(f, 8) ? (uint32_t)draw_below(f, 4) : (uint32_t)(draw_below(f, SCRATCH_BYTES / 1024) * 512 - 1);

	if (!one_in(f, 8))
		address &= ~1ull;
	if (address < scratch || address >= scratch + SCRATCH_BYTES / 2)
		length = one_in(f, 2) ? (uint32_t)draw(f) & 0x3fffff : length;
	put(entry, address, 8);
	put(entry + 8, 0, 4);
	put(entry + 12, (length & 0x3fffff) | (one_in(f, 4) ? 1u << 31 : 0), 4);
}

static void put_fis(struct fuzzer *f, uint8_t *fis, uint8_t opcode, uint64_t lba, uint16_t count)
{
	for (unsigned i = 0; i < 20; i++)
		fis[i] = one_in(f, 8) ? (uint8_t)draw(f) : 0;
	fis[2] = opcode;
	if (!one_in(f, 16)) {
		fis[0] = 0x27;
		fis[1] = 0x80;
	}
	put(fis + 4, lba & 0xffffff, 3);
	fis[7] = 0x40;
	put(fis + 8, lba >> 24, 3);
	if (opcode == 0x60 || opcode == 0x61) {
		put(fis + 3, count, 1);
		fis[11] = (uint8_t)(count >> 8);
		put(fis + 12, draw_below(f, 32) << 3, 2);
	} else {
		put(fis + 12, count, 2);
	}
}

void hba_begin(bool reads)
{
	struct fuzzer fixed = {.random = 1, .scratch = take_memory(SCRATCH_BYTES, PAGE)};

	guarded_writes = take_memory(PAGE, PAGE);
	huge_table = take_memory(HUGE_BYTES, PAGE);
	for (uint64_t at = 128; at < HUGE_BYTES; at += 16)
		put_entry(&fixed, huge_table + at);
	put_fis(&fixed, huge_table, reads ? 0x25 : 0xec, 0, 0);
	medium_reads = reads;
	for (unsigned i = 0; i < TABLES; i++) {
		uint8_t *table = guarded_writes + i * TABLE_BYTES;
		uint64_t sectors = places.guarded_last - places.guarded_first + 1;

		memset(table, 0, 64);
		table[0] = 0x27;
		table[1] = 0x80;
		table[2] = i & 1 ? 0x35 : 0xec;
		table[7] = 0x40;
		put(table + 4, (places.guarded_first + i * (sectors / TABLES)) & 0xffffff, 3);
		table[12] = (uint8_t)(1 + i);
		if (!places.guarded_first)
			table[2] = 0xec;
		for (uint8_t *entry = table + 128; entry < table + TABLE_BYTES; entry += 16)
			put_entry(&fixed, entry);
	}
}

static uint8_t *list_of(const struct fuzzer *f)
{
	return f->tables;
}

static uint8_t *table_of(const struct fuzzer *f, unsigned n)
{
	return f->tables + PAGE + n * TABLE_BYTES;
}

static void make_command(struct fuzzer *f, unsigned slot)
{
	uint8_t *header = list_of(f) + slot * 32;
	uint8_t *table = table_of(f, slot % TABLES);
	uint64_t place = (uint64_t)table;
	uint32_t entries = (uint32_t)draw_below(f, 24);

	put_fis(f, table, draw_opcode(f), one_in(f, 4) ? draw(f) & 0xffffffffffff : draw_below(f, 80000),
		(uint16_t)(one_in(f, 8) ? draw(f) : draw_below(f, 64)));
	for (unsigned i = 0; i < 24; i++)
		put_entry(f, table + 128 + 16 * i);
	switch (draw_below(f, 12)) {
	case 0:
		place = (uint64_t)huge_table;
		entries = (uint32_t)draw(f) & 0xffff;
		break;
	case 1:
		place = places.own + draw_below(f, places.own_bytes + 1);
		break;
	case 2:
		place = places.above_ram + 128 * draw_below(f, 64);
		break;
	case 3:
		place = (uint64_t)guarded_writes + draw_below(f, TABLES) * TABLE_BYTES;
		break;
	}
	put(header + 8, place, 8);
	put(header, (one_in(f, 8) ? draw_below(f, 32) : 5) | draw_below(f, 64) << 5 | (uint64_t)entries << 16, 4);
}

static void write32(uint64_t offset, uint32_t value)
{
	uint64_t wide = value;

	try_access(places.abar + offset, 4, true, &wide);
}

static uint32_t read32(uint64_t offset)
{
	uint64_t value;

	try_access(places.abar + offset, 4, false, &value);
	return (uint32_t)value;
}

static void begin_access(void)
{
	if (medium_reads)
		config_lock();
}

static bool idle(void)
{
	return !(read32(PORTS + PXCMD) & ENGINE_RUNS) || !(read32(PORTS + PXCI) | read32(PORTS + PXSACT));
}

/* A bit of PxSACT without a command stays for good. */
static void end_access(void)
{
	if (!medium_reads)
		return;
	if (!WAIT_UNTIL(idle(), 200000))
		write32(PORTS + PXCMD, 0);
	config_unlock();
}

/* A list that devices may be given: ours, another CPU's, or none of RAM. */
static uint64_t draw_list(struct fuzzer *f)
{
	uint64_t address = draw_address(f), scratch = (uint64_t)f->scratch;

	return address >= scratch && address < scratch + SCRATCH_BYTES ? (uint64_t)list_of(f) : address;
}

void do_hba_command(struct fuzzer *f)
{
	unsigned port = one_in(f, 8) ? (unsigned)draw_below(f, 8) : 0, slot = (unsigned)draw_below(f, 32);
	uint64_t base = PORTS + port * PORT_BYTES, list = one_in(f, 16) ? draw_list(f) : (uint64_t)list_of(f);
	uint64_t received = one_in(f, 16) ? draw_address(f) : (uint64_t)f->scratch + SCRATCH_BYTES / 2;
	uint32_t slots = one_in(f, 4) ? (uint32_t)draw(f) : 1u << slot;

	for (unsigned i = 0; i < 32; i++)
		if (slots >> i & 1)
			make_command(f, i);
	doing(f, "hba command", port, list, slots);
	begin_access();
	if (!one_in(f, 4)) {
		write32(base + PXCMD, 0);
		WAIT_UNTIL(!(read32(base + PXCMD) & 0xc000), 100000);
		write32(base + PXCLB, (uint32_t)list);
		write32(base + PXCLB + 4, (uint32_t)(list >> 32));
		write32(base + PXFB, (uint32_t)received);
		write32(base + PXFB + 4, (uint32_t)(received >> 32));
		write32(base + PXCMD, 0x11);
	}
	if (one_in(f, 2))
		write32(base + PXSACT, slots);
	write32(base + PXCI, slots);
	WAIT_UNTIL(!(read32(base + PXCI) & slots), draw_below(f, 2000));
	if (one_in(f, 2))
		write32(base + PXIS, read32(base + PXIS));
	end_access();
}

/* Left out: parts of an address, whose other parts may make one of RAM. */
void do_hba_register(struct fuzzer *f)
{
	unsigned size = 1u << draw_below(f, 4);
	uint64_t offset = draw_below(f, one_in(f, 4) ? PAGE - 8 : 0x500), value = draw_value(f);
	bool write = one_in(f, 2);

	if (!one_in(f, 8))
		offset &= ~(uint64_t)(size - 1);
	for (uint64_t byte = offset; byte < offset + size; byte++)
		if (byte >= PORTS && byte % PORT_BYTES < ADDRESS_END)
			write = false;
	doing(f, write ? "hba write" : "hba read", offset, size, value);
	if (write)
		begin_access();
	try_access(places.abar + offset, size, write, &value);
	if (write)
		end_access();
}

/* Instructions of every form that is emulated, on registers that hold no address. */
void do_hba_code(struct fuzzer *f)
{
	static const uint8_t forms[][2] = {{0, 0x88}, {0, 0x89}, {0, 0x8a}, {0, 0x8b}, {0, 0x00}, {0, 0x01}, {0, 0x02},
		{0, 0x03}, {0, 0x08}, {0, 0x09}, {0, 0x0b}, {0, 0x20}, {0, 0x21}, {0, 0x23}, {0, 0x28}, {0, 0x29}, {0, 0x2b},
		{0, 0x30}, {0, 0x31}, {0, 0x33}, {0, 0x38}, {0, 0x39}, {0, 0x3b}, {0, 0x84}, {0, 0x85}, {0, 0x86}, {0, 0x87},
		{0, 0xfe}, {0, 0xff}, {0x0f, 0xa3}, {0x0f, 0xab}, {0x0f, 0xb3}, {0x0f, 0xbb}, {0x0f, 0xb0}, {0x0f, 0xb1},
		{0x0f, 0xb6}, {0x0f, 0xb7}, {0x0f, 0xbe}, {0x0f, 0xbf}, {0x0f, 0x10}, {0x0f, 0x11}, {0x0f, 0x6f}, {0x0f, 0xc7},
		{0, 0xa4}, {0, 0xa5}, {0, 0xaa}, {0, 0xab}, {0, 0xac}, {0, 0xad}};
	static const uint8_t prefixes[] = {0x66, 0xf0, 0xf2, 0xf3, 0x2e, 0x67, 0x64};
	static const uint16_t offsets[] = {0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x24, 0x28, 0x110, 0x114, 0x118, 0x120, 0x128,
		0x12c, 0x130, 0x134, 0x138, 0x13c, 0x140, 0x190, 0x198, 0x1b8};
	unsigned form = (unsigned)draw_below(f, sizeof(forms) / 2), n = 0;
	bool bits = forms[form][0] && (forms[form][1] & 0xe7) == 0xa3;
	uint64_t at = places.abar + offsets[draw_below(f, sizeof(offsets) / 2)] + (one_in(f, 8) ? draw_below(f, 4) : 0);
	uint8_t code[8];
	struct run r;

	run_prepare(&r, NULL);
	for (unsigned i = 0; i < 16; i++)
		if (i != 4)
			r.gpr[i] = draw_value(f);
	r.gpr[1] = draw_below(f, 3);
	r.gpr[2] = bits ? draw_below(f, 32) : r.gpr[2];
	r.gpr[3] = at;
	r.gpr[6] = one_in(f, 2) ? at : (uint64_t)f->scratch;
	r.gpr[7] = one_in(f, 2) ? at & ~7ull : (uint64_t)f->scratch;
	if (one_in(f, 2))
		code[n++] = prefixes[draw_below(f, sizeof(prefixes))];
	if (one_in(f, 2))
		code[n++] = (uint8_t)(0x40 | (one_in(f, 2) ? 8 : 0) | (one_in(f, 2) && !bits ? 4 : 0));
	if (forms[form][0])
		code[n++] = forms[form][0];
	code[n++] = forms[form][1];
	/* [rbx]. Of FE and FF only INC and DEC: a jump goes anywhere, as does a bit number out of any register. */
	if (forms[form][0] || forms[form][1] < 0xa4 || forms[form][1] >= 0xfe)
		code[n++] = (uint8_t)(0x03 | (forms[form][1] >= 0xfe ? draw_below(f, 2) : bits ? 2 : draw_below(f, 8)) << 3);
	doing(f, "hba instruction", at, forms[form][0] << 8 | forms[form][1], r.gpr[0]);
	begin_access();
	run_bytes(&r, code, n);
	end_access();
}
