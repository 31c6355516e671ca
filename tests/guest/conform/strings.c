/* SPDX-License-Identifier: Apache-2.0 */
/* INS and OUTS of every width, way, address size and segment, on ports that exit and ports that do not; faults in their midst. */
#include "tests/guest/conform/conform.h"

#define ADDRESS_PORT 0xcf8u /* PCI's address register, 32 bits: what is written is read again. Exits. */
#define DATA_PORT    0xcfcu /* PCI's data: of a function that is not there. Exits. */
#define NO_FUNCTION  0x8000f700u
#define SCRATCH_PORT 0x80u  /* writes go nowhere */
#define STATUS_PORT  0x64u  /* the keyboard controller's status: exits */
#define OWN_PORT     0x21u  /* the legacy interrupt mask: does not */
#define HOLE         STAGE(STAGE_RAM + 4)
#define GS_BASE      0x2000ull

#define STRINGS(X)                                                                                           \
	X(insb, "insb") X(insw, "insw") X(insl, "insl") X(outsb, "outsb") X(outsw, "outsw") X(outsl, "outsl")   \
	X(rep_insb, "rep insb") X(rep_insw, "rep insw") X(rep_insl, "rep insl")                              \
	X(rep_outsb, "rep outsb") X(rep_outsw, "rep outsw") X(rep_outsl, "rep outsl")                        \
	X(repne_insb, "repne insb") X(repne_outsl, "repne outsl")                                            \
	X(rep_insl_67, ".byte 0x67; rep insl") X(rep_outsl_67, ".byte 0x67; rep outsl")                      \
	X(gs_rep_outsl, "gs rep outsl") X(gs_rep_insl, "gs rep insl") X(es_outsb, ".byte 0x26, 0x6e")            \
	X(rex_insl, ".byte 0xf3, 0x48, 0x6d") X(rex_outsl, ".byte 0xf3, 0x48, 0x6f")                         \
	X(lock_outsb, ".byte 0xf0, 0x6e")

STRINGS(PROBE_CODE)
static const struct probe wide[] = {STRINGS(PROBE_ROW)};

#define NARROW(X)                                                                                            \
	X(n_insb, ".code32; rep insb") X(n_insl, ".code32; rep insl") X(n_outsw, ".code32; rep outsw")       \
	X(n_outsl, ".code32; rep outsl") X(n_insb_67, ".code32; .byte 0x67; rep insb")                       \
	X(n_outsl_67, ".code32; .byte 0x67; rep outsl") X(n_cs_outsb, ".code32; cs rep outsb")               \
	X(n_fs_outsl, ".code32; mov $0x10, %eax; mov %eax, %fs; fs rep outsl")                               \
	X(n_null_outsl, ".code32; xor %eax, %eax; mov %eax, %fs; fs rep outsl")

NARROW(PROBE_CODE)
static const struct probe narrow[] = {NARROW(PROBE_ROW)};

static void one(const char *what, const struct probe *probe, uint16_t port, uint64_t at, uint64_t count, uint64_t rflags,
	bool is_narrow)
{
	uint8_t *ram = stage_memory(STAGE_RAM);
	struct run r;

	stage_set(false);
	port_out(ADDRESS_PORT, 4, NO_FUNCTION);
	snippet_prepare(&r);
	r.cs = is_narrow ? SELECTOR_CODE32 : SELECTOR_CODE64;
	r.rflags |= rflags;
	r.gpr[1] = count;
	r.gpr[2] = port;
	r.gpr[6] = r.gpr[7] = at;
	if (!is_narrow)
		wrmsr(MSR_GS_BASE, GS_BASE);
	snippet_run(&r, probe->code);
	wrmsr(MSR_GS_BASE, 0);
	fact("%s %s port %x count %lx at %lx %s = %s, rcx %lx rsi %lx rdi %lx ram %lx address %08x", what, probe->name, port,
		count, at - RAM, rflags & RFLAGS_DF ? "down" : "up", ending(&r), r.gpr[1], r.gpr[6] - at, r.gpr[7] - at,
		digest(ram, RAM_BYTES), port_in(ADDRESS_PORT, 4));
}

/* Bytes to the upper half of the address register may reset the machine, and commands do other things. */
static bool goes(const char *name, uint16_t port)
{
	bool in = false;
	char width = 0;

	for (; *name; name++)
		if (!strncmp(name, "ins", 3) || !strncmp(name, "outs", 4)) {
			in = *name == 'i';
			width = name[in ? 3 : 4];
		}
	switch (port) {
	case ADDRESS_PORT:
		return width == 'l';
	case STATUS_PORT:
		return in && width == 'b';
	case OWN_PORT:
		return in;
	default:
		return true;
	}
}

static void every(const char *what, const struct probe *probe, bool is_narrow)
{
	static const uint16_t ports[] = {ADDRESS_PORT, DATA_PORT, STATUS_PORT, OWN_PORT, SCRATCH_PORT};
	static const uint64_t places[] = {RAM + 0x100, RAM + 0x1001, RAM + 0xffe, HOLE - 10, RAM + 2};

	for (unsigned p = 0; p < sizeof(ports) / sizeof(ports[0]); p++)
		for (unsigned at = 0; at < sizeof(places) / sizeof(places[0]); at++)
			for (unsigned down = 0; down < 2; down++) {
				/* No commands to the keyboard controller, and the mask stays. */
				if (!goes(probe->name, ports[p]))
					continue;
				one(what, probe, ports[p], places[at], 5, down ? RFLAGS_DF : 0, is_narrow);
			}
	one(what, probe, DATA_PORT, RAM, 0, 0, is_narrow);
	one(what, probe, DATA_PORT, HOLE, 0, 0, is_narrow);
	one(what, probe, DATA_PORT, HOLE + 0x1000, 3, 0, is_narrow);
	one(what, probe, DATA_PORT, 0xffffffff00000000 | (uint32_t)RAM, 0x700000002, 0, is_narrow);
}

void theme_strings(void)
{
	for (unsigned i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		every("64", &wide[i], false);
	for (unsigned i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
		every("32", &narrow[i], true);
}
