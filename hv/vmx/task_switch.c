/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task switches of 32-bit guests, which VMX leaves to us. The processor has looked at
 * gate, privilege, and the new task's descriptor before the exit. SDM volume 3, 8.3 and
 * 26.4.2.
 */
#include "hv/core/mmio.h"
#include "hv/vmx/vmx.h"
#include "hv/x86/tss.h"

#define BUSY          (1ull << 41) /* of a descriptor */
#define RIGHTS_BUSY   2u
#define RIGHTS_WIDE   8u
#define RIGHTS_TR     0x80ffu /* with the granularity of its limit */
#define RIGHTS_TASK   0x95u   /* of a descriptor: present, system, but for its width and whether it is busy ... */
#define TASK          0x81u   /* ... a task state */
#define PDPTE_RESERVED 0x1e6ull
#define FLAG_NESTED   (1u << 14)
#define DR6_TASK      (1ull << 15)
#define DR7_LOCAL     0x155ull
#define VM86_RIGHTS   0xf3u
#define LDT_RIGHTS    0x82u
#define SELECTOR_LDT  4u
#define ERROR_BITS    0xfffcu /* of a selector */

enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

/* A way from one task to another. */
struct task_switch {
	struct vcpu *vcpu;
	unsigned by;
	uint16_t from, to; /* the tasks' selectors */
	uint64_t vectoring; /* the event whose gate it is */
	struct segment task; /* the new one's descriptor */
	uint8_t image[TSS_WIDE_BYTES];
	bool wide;
	struct task_state state; /* what the image says ... */
	uint64_t pdpte[4];       /* ... and, with PAE, the directories of its CR3 */
};

static const enum vmcs_segment fields[TASK_SEGMENTS] = {VMCS_ES, VMCS_CS, VMCS_SS, VMCS_DS, VMCS_FS, VMCS_GS};

static uint64_t descriptor_at(uint16_t selector)
{
	return vmread(VMCS_GUEST_GDTR_BASE) + (selector & ~7u);
}

/* From the GDT or the LDT; false: it names nothing, or there is a page fault now. */
static bool read_descriptor(struct vcpu *vcpu, uint16_t selector, struct segment *out)
{
	bool local = selector & SELECTOR_LDT;
	uint64_t base = local ? vmread(VMCS_GUEST_BASE + 2 * VMCS_LDTR) : vmread(VMCS_GUEST_GDTR_BASE), descriptor;
	uint64_t limit = local ? vmread(VMCS_GUEST_LIMIT + 2 * VMCS_LDTR) : vmread(VMCS_GUEST_GDTR_LIMIT);

	if ((local && vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_LDTR) & RIGHTS_UNUSABLE) || (selector | 7u) > limit ||
	    guest_system_copy(vcpu, (uint32_t)base + (selector & ~7u), &descriptor, 8, false))
		return false;
	*out = segment_of(descriptor);
	return true;
}

static void set_busy(struct vcpu *vcpu, uint16_t selector, bool busy)
{
	uint64_t descriptor;

	if (guest_system_copy(vcpu, descriptor_at(selector), &descriptor, 8, false))
		return;
	descriptor = busy ? descriptor | BUSY : descriptor & ~BUSY;
	guest_system_copy(vcpu, descriptor_at(selector), &descriptor, 8, true);
}

/* Behind the instruction where one has asked for it; a fault, or an interrupt, comes back to where it was. */
static uint64_t return_rip(const struct task_switch *s)
{
	bool instruction = s->by != BY_GATE || (s->vectoring & EVENT_TYPE) >= EVENT_SOFTWARE;

	return s->vcpu->rip + (instruction ? vmread(VMCS_INSTRUCTION_BYTES) : 0);
}

static int save_old(const struct task_switch *s)
{
	struct vcpu *vcpu = s->vcpu;
	bool wide = vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_TR) & RIGHTS_WIDE;
	struct task_state state = {.ip = (uint32_t)return_rip(s), .flags = (uint32_t)vcpu->rflags};
	uint8_t image[TSS_WIDE_BYTES];
	unsigned first, bytes;

	if (s->by == BY_IRET)
		state.flags &= ~FLAG_NESTED;
	for (unsigned i = 0; i < 8; i++)
		state.gpr[i] = (uint32_t)vcpu->gpr[i];
	for (unsigned i = 0; i < TASK_SEGMENTS; i++)
		state.segment[i] = (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * fields[i]);
	memset(image, 0, sizeof(image));
	first = tss_save(image, wide, &state, &bytes);
	return guest_system_copy(vcpu, (uint32_t)vmread(VMCS_GUEST_BASE + 2 * VMCS_TR) + first, image + first, bytes, true);
}

static void mark_busy(const struct task_switch *s)
{
	if (s->by == BY_JMP || s->by == BY_IRET)
		set_busy(s->vcpu, s->from, false);
	else
		guest_system_copy(s->vcpu, s->task.base, (void *)&s->from, 2, true); /* the link back */
	if (s->by != BY_IRET)
		set_busy(s->vcpu, s->to, true);
}

static bool loads_cr3(const struct task_switch *s)
{
	return s->wide && vmread(VMCS_GUEST_CR0) & CR0_PG;
}

/* The entry takes the four directories of PAE from the control structure, and refuses what a load of CR3 would. */
static bool read_directories(struct task_switch *s)
{
	uint64_t beyond = UINT64_MAX << vmx_of(s->vcpu)->physical_bits;

	for (unsigned i = 0; loads_cr3(s) && vmx_cr4() & CR4_PAE && i < 4; i++) {
		s->pdpte[i] = guest_mapped_load((s->state.cr3 & ~31u) + 8 * i, 8);
		if (s->pdpte[i] & 1 && s->pdpte[i] & (PDPTE_RESERVED | beyond))
			return false;
	}
	return true;
}

static void load_cr3(const struct task_switch *s)
{
	vmwrite(VMCS_GUEST_CR3, s->state.cr3);
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE + 2 * i, s->pdpte[i]);
	vmx_backend.flush(s->vcpu);
}

/* That the guest is in an NMI's handler begins and ends with the switch to its task and back. */
static void block_nmis(const struct task_switch *s)
{
	uint64_t state = vmread(VMCS_INTERRUPTIBILITY);

	if (s->by == BY_IRET)
		vmwrite(VMCS_INTERRUPTIBILITY, state & ~(uint64_t)BLOCKED_BY_NMI);
	else if (s->vectoring & EVENT_VALID && (s->vectoring & EVENT_TYPE) == EVENT_NMI)
		vmwrite(VMCS_INTERRUPTIBILITY, state | BLOCKED_BY_NMI);
}

static void load_registers(const struct task_switch *s)
{
	const struct vmx_segment task = {s->to, s->task.limit, (s->task.attributes & RIGHTS_TR) | RIGHTS_BUSY, s->task.base};
	const struct task_state *state = &s->state;
	struct vcpu *vcpu = s->vcpu;

	vmx_set_segment(VMCS_TR, &task);
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) | CR0_TS);
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_LOCAL);
	if (loads_cr3(s))
		load_cr3(s);
	vcpu->rip = state->ip;
	vcpu->rflags = (state->flags & RFLAGS_LOADED) | RFLAGS_FIXED;
	if (s->by == BY_CALL || s->by == BY_GATE)
		vcpu->rflags |= FLAG_NESTED;
	for (unsigned i = 0; i < 8; i++)
		vcpu->gpr[i] = state->gpr[i];
}

static bool fault(struct vcpu *vcpu, unsigned vector, uint16_t selector)
{
	if (!vcpu->event) /* a page fault comes before */
		inject_exception(vcpu, (enum exception)vector, true, selector & ERROR_BITS);
	return false;
}

static bool load_ldt(struct vcpu *vcpu, uint16_t selector)
{
	struct vmx_segment ldt = {selector, 0, RIGHTS_UNUSABLE, 0};
	struct segment segment;
	bool none = !(selector & ~3u);

	vmx_set_segment(VMCS_LDTR, &ldt);
	if (none)
		return true;
	if (selector & SELECTOR_LDT || !read_descriptor(vcpu, selector, &segment) ||
	    (segment.attributes & 0x9f) != LDT_RIGHTS)
		return fault(vcpu, EXCEPTION_TS, selector);
	ldt = (struct vmx_segment){selector, segment.limit, segment.attributes, segment.base};
	vmx_set_segment(VMCS_LDTR, &ldt);
	return true;
}

static bool load_task_segment(struct vcpu *vcpu, enum task_segment which, uint16_t selector, unsigned cpl)
{
	bool must_be = which == TASK_CS || which == TASK_SS;
	struct vmx_segment to;
	struct segment segment;
	unsigned vector;

	if (!(selector & ~3u))
		return must_be ? fault(vcpu, EXCEPTION_TS, selector) : true;
	if (!read_descriptor(vcpu, selector, &segment))
		return fault(vcpu, EXCEPTION_TS, selector);
	vector = tss_segment_fault(which, selector, segment.attributes, cpl);
	if (vector)
		return fault(vcpu, vector, selector);
	to = (struct vmx_segment){selector, segment.limit, segment.attributes | 1u, segment.base};
	vmx_set_segment(fields[which], &to);
	return true;
}

/* The selectors first, each as what can be entered with: an exception at one of them is the new task's. */
static bool load_segments(struct vcpu *vcpu, const struct task_state *state)
{
	static const enum task_segment order[] = {TASK_CS, TASK_SS, TASK_ES, TASK_DS, TASK_FS, TASK_GS};
	bool vm86 = vcpu->rflags & RFLAGS_VM;
	unsigned cpl = vm86 ? 3 : state->segment[TASK_CS] & 3;

	for (unsigned i = 0; i < TASK_SEGMENTS; i++) {
		uint16_t selector = state->segment[i];
		struct vmx_segment to = {selector, 0xffff, VM86_RIGHTS, (uint64_t)selector << 4};

		if (!vm86)
			to = (struct vmx_segment){selector, UINT32_MAX,
						  i == TASK_CS ? 0xc09b | cpl << 5 : i == TASK_SS ? 0xc093 | cpl << 5 : RIGHTS_UNUSABLE, 0};
		vmx_set_segment(fields[i], &to);
	}
	if (!load_ldt(vcpu, state->ldt))
		return false;
	for (unsigned i = 0; i < TASK_SEGMENTS && !vm86; i++)
		if (!load_task_segment(vcpu, order[i], state->segment[order[i]], cpl))
			return false;
	return true;
}

static void push_error(const struct task_switch *s)
{
	unsigned bytes = s->wide ? 4 : 2;
	uint64_t rsp = (uint32_t)(s->vcpu->gpr[4] - bytes);

	if (!(vmread(VMCS_GUEST_RIGHTS + 2 * VMCS_SS) & RIGHTS_BIG))
		rsp = (s->vcpu->gpr[4] & ~0xffffull) | (uint16_t)rsp;
	s->vcpu->gpr[4] = rsp;
	guest_store(s->vcpu, (uint32_t)(vmread(VMCS_GUEST_BASE + 2 * VMCS_SS) + rsp), bytes, vmread(VMCS_VECTORING_ERROR));
}

/* The new task's descriptor and state; another CPU may have changed what the processor has looked at. */
static bool read_new(struct task_switch *s)
{
	bool busy;

	if (!read_descriptor(s->vcpu, s->to, &s->task))
		return fault(s->vcpu, EXCEPTION_TS, s->to);
	s->wide = s->task.attributes & RIGHTS_WIDE;
	busy = s->task.attributes & RIGHTS_BUSY;
	if ((s->task.attributes & RIGHTS_TASK) != TASK || busy != (s->by == BY_IRET) || s->task.limit < tss_bytes(s->wide) - 1)
		return fault(s->vcpu, EXCEPTION_TS, s->to);
	if (guest_system_copy(s->vcpu, s->task.base, s->image, tss_bytes(s->wide), false))
		return false;
	tss_read(s->image, s->wide, &s->state);
	return read_directories(s) || fault(s->vcpu, EXCEPTION_TS, s->to);
}

void vmx_task_switch(struct vcpu *vcpu, uint64_t qualification)
{
	struct task_switch s = {.vcpu = vcpu, .by = qualification >> 30 & 3, .to = (uint16_t)qualification,
				.from = (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * VMCS_TR)};

	vcpu->event = 0;
	s.vectoring = s.by == BY_GATE ? vmread(VMCS_VECTORING) : 0;
	if (!read_new(&s) || save_old(&s))
		return;
	mark_busy(&s);
	vmx_retired(vcpu);
	block_nmis(&s);
	load_registers(&s);
	if (!load_segments(vcpu, &s.state))
		return;
	if (s.vectoring & EVENT_HAS_ERROR)
		push_error(&s);
	if (s.state.trap && !vcpu->event)
		inject_debug(vcpu, DR6_TASK);
}
