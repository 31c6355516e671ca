/* SPDX-License-Identifier: Apache-2.0 */
/* The core on the Intel backend: several model processors, whose entries are checked as a processor checks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/core/hypercall.h"
#include "hv/core/interrupts.h"
#include "hv/core/lapic.h"
#include "hv/core/shootdown.h"
#include "hv/vmx/vmx.h"
#include "tests/core/machine.h"
#include "tests/core/vmx.h"

#define ICR_LOW	 0x300u
#define ICR_HIGH 0x310u
#define NMI	 0x400u
#define INIT	 0x4500u
#define SIPI	 0x4600u
#define LVT_TIMER 0x320u
#define RBX	 3
#define RCX	 1

static void start_machine(const struct machine *machine)
{
	assert_int_equal(machine_start(machine), 0);
	for (unsigned i = 0; i < machine->cpus; i++)
		assert_int_equal(cpus[i].state, CPU_IN_GUEST);
}

static void start(unsigned count)
{
	const struct machine machine = {.cpus = count, .vmx = true};

	start_machine(&machine);
}

static void command(unsigned from, unsigned to, uint32_t low)
{
	assert_true(guest_write(from, LAPIC_REGISTERS + ICR_HIGH, 4, (uint64_t)cpus[to].apic_id << 24));
	assert_true(guest_write(from, LAPIC_REGISTERS + ICR_LOW, 4, low));
}

MACHINE_TEST(test_who_is_beneath)
{
	struct vcpu *vcpu;
	struct cpuid_result leaf;
	uint64_t value;

	start(2);
	vcpu = cpus[1].vcpu;
	vcpu->gpr[0] = HYPERCALL_MAGIC;
	vcpu->gpr[RBX] = HYPERCALL_INFO;
	assert_true(guest_vmmcall(1));
	assert_memory_equal(&vcpu->gpr[RCX], "vmx\0\0\0\0", 8);
	assert_true(guest_cpuid(0, 1, 0, &leaf));
	assert_int_equal(leaf.ecx & 3u << 5, 0);
	assert_true(guest_rdmsr(0, MSR_FEATURE_CONTROL, &value));
	assert_int_equal(value, FEATURE_LOCKED);
	assert_false(guest_wrmsr(0, MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX));
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	assert_false(guest_rdmsr(0, MSR_VMX_BASIC, &value));
	assert_false(guest_rdmsr(0, MSR_VMX_LAST, &value));
	assert_int_equal(guest_exception(0), EXCEPTION_GP);
	/* AMD's are as unknown as on any processor of this vendor, and EFER is the guest's own. */
	assert_false(guest_rdmsr(0, MSR_VM_CR, &value));
	assert_true(guest_wrmsr(0, MSR_EFER, 0xffff));
}

/* Unknown exits, and those that the guest's processor would not know. */
MACHINE_TEST(test_undefined)
{
	start(1);
	cpu_exit(&cpus[0], UINT16_MAX, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_UD);
	cpu_exit(&cpus[0], VMEXIT_NMI, 0, 0);
	assert_int_equal(guest_exception(0), EXCEPTION_NMI); /* a device's: nobody had kicked */
}

MACHINE_TEST(test_ports_and_registers)
{
	uint64_t value;

	start(1);
	guest_out(0, PM1_CONTROL, 2, 5u << 10 | 1u << 13); /* S3 */
	assert_int_equal(platform_port_writes(PM1_CONTROL, 2, 5u << 10 | 1u << 13), 0);
	guest_out(0, PM1_CONTROL, 2, 1);
	assert_int_equal(platform_port_writes(PM1_CONTROL, 2, 1), 1);
	assert_true(guest_read(0, OWN_MEMORY, 8, &value));
	assert_int_equal(value, 0);
	assert_true(guest_write(0, OWN_MEMORY, 8, 1));
	assert_int_equal(guest_exception(0), -1);
}

/* One is given, one waits until its handler has returned, of which the processor tells. */
MACHINE_TEST(test_nmis)
{
	start(2);
	command(0, 1, NMI);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	command(0, 1, NMI);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), -1);
	command(0, 1, NMI);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), -1);
	model_vmx_set_field(&cpus[1], VMCS_INTERRUPTIBILITY, 0); /* IRET: the window opens */
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), EXCEPTION_NMI);
	model_vmx_set_field(&cpus[1], VMCS_INTERRUPTIBILITY, 0);
	cpu_exit(&cpus[1], VMEXIT_IRET, 0, 0);
	assert_int_equal(guest_exception(1), -1);
}

/* A kick of ours is no NMI of the guest's, whether it meets the guest, the host, or the way from one to the other. */
MACHINE_TEST(test_kicks)
{
	start(2);
	vcpu_kick(cpus[1].vcpu);
	cpus_take_nmis();
	assert_int_equal(guest_exception(1), -1);
	vcpu_wake(cpus[1].vcpu); /* right before the next entry */
	GUEST_CODE(1, 0x0f, 0xa2);
	cpu_exit(&cpus[1], VMEXIT_CPUID, 0, 0);
	assert_int_equal(guest_exception(1), -1);
	assert_int_equal(cpus[1].nmi_pending, 0);
	assert_int_equal(cpus[1].vcpu->kicks_taken, 2);
}

MACHINE_TEST(test_start_up)
{
	start(2);
	command(0, 1, NMI);
	command(0, 1, INIT);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	command(0, 1, NMI);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	command(0, 1, SIPI | 0x12);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(guest_exception(1), -1);
	assert_int_equal(model_vmx_field(&cpus[1], VMCS_GUEST_BASE + 2 * VMCS_CS), 0x12000);
	assert_int_equal(model_vmx_field(&cpus[1], VMCS_GUEST_CR0), CR0_ET | CR0_NE);
}

static void command_x2apic(unsigned from, unsigned to, uint32_t low)
{
	assert_true(guest_wrmsr(from, MSR_X2APIC_ICR, (uint64_t)cpus[to].apic_id << 32 | low));
}

/* The system, under page tables of its own, starts the other CPU: with that, every CPU has been. */
static void lift(void (*send)(unsigned, unsigned, uint32_t))
{
	cpus[0].vcpu->gpr[0] = HYPERCALL_MAGIC;
	cpus[0].vcpu->gpr[RBX] = HYPERCALL_BOOT_SERVICES_DONE;
	assert_true(guest_vmmcall(0));
	memcpy((void *)(RAM + RAM_BYTES - 0x10000), (void *)model_vmx_field(&cpus[0], VMCS_GUEST_CR3), 4096);
	model_vmx_set_field(&cpus[0], VMCS_GUEST_CR3, RAM + RAM_BYTES - 0x10000);
	send(0, 1, INIT);
	cpus_take_nmis();
	send(0, 1, SIPI | 0x11);
	cpus_take_nmis();
	assert_true(lapic_is_lifted());
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
}

/* From there on INIT and SIPI are real: the processor tells of both, and is not woken by anything else meanwhile. */
MACHINE_TEST(test_real_start_up)
{
	const struct machine machine = {.cpus = 2, .vmx = true, .fast_icr = true};

	start_machine(&machine);
	lift(command);
	cpus[1].lapic[LVT_TIMER / 16] = 0x20030;
	vcpu_wake(cpus[1].vcpu); /* on the way there */
	cpu_exit(&cpus[1], VMX_EXIT_INIT, 0, 0);
	assert_int_equal(cpus[1].vcpu->kicks_taken, cpus[1].vcpu->kicks_done);
	assert_true(model_vmx_waits(&cpus[1]));
	assert_int_equal(cpus[1].lapic[LVT_TIMER / 16], 0x20030); /* the wait begins at once */
	vcpu_wake(cpus[1].vcpu);
	cpus_take_nmis();
	assert_true(model_vmx_waits(&cpus[1]));
	cpu_exit(&cpus[1], VMX_EXIT_SIPI, 0x12, 0);
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(guest_exception(1), -1);
	assert_int_equal(model_vmx_field(&cpus[1], VMCS_ACTIVITY), ACTIVITY_ACTIVE);
	assert_int_equal(model_vmx_field(&cpus[1], VMCS_GUEST_BASE + 2 * VMCS_CS), 0x12000);
	assert_int_equal(cpus[1].lapic[LVT_TIMER / 16], 0x10000);
}

/* The command register of x2APIC mode stays trapped: what is sent there wakes the CPU by our own signal. */
MACHINE_TEST(test_x2apic_start_up)
{
	const struct machine machine = {.cpus = 2, .vmx = true, .x2apic = true, .fast_icr = true};

	start_machine(&machine);
	lift(command_x2apic);
	command_x2apic(0, 1, INIT);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_WAITING);
	command_x2apic(0, 1, SIPI | 0x12);
	cpus_take_nmis();
	assert_int_equal(cpus[1].state, CPU_IN_GUEST);
	assert_int_equal(model_vmx_field(&cpus[1], VMCS_GUEST_BASE + 2 * VMCS_CS), 0x12000);
}

static bool watches(void)
{
	return model_vmx_field(&cpus[0], VMCS_PIN) & PIN_INTERRUPT;
}

static bool has_window(void)
{
	return model_vmx_field(&cpus[0], VMCS_PRIMARY) & PRIMARY_INTERRUPT_WINDOW;
}

static void watch(void)
{
	start(1);
	cpus[0].vcpu->watches = 1;
	cpu_exit(&cpus[0], UINT16_MAX, 0, 0);
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0); /* #UD has been delivered */
	assert_true(watches());
}

/* An interrupt that somebody watches for: taken by the host, given at once. */
MACHINE_TEST(test_watched_interrupt)
{
	watch();
	cpus[0].vcpu->rflags |= RFLAGS_IF;
	assert_true(cpu_interrupt(&cpus[0], 0x66));
	assert_int_equal(cpus[0].event, EVENT_VALID | EVENT_INTERRUPT | 0x66);
	assert_false(has_window());
	cpus[0].vcpu->rflags &= ~RFLAGS_IF;
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_false(interrupts_waiting(cpus[0].vcpu));
}

/* The exit comes with interrupts off as well: the guest may still choose another order, or none. */
MACHINE_TEST(test_interrupt_that_is_not_taken)
{
	watch();
	assert_true(cpu_interrupt(&cpus[0], 0x66));
	assert_false(cpus[0].lapic[0x130 / 16]);
	assert_false(interrupts_waiting(cpus[0].vcpu));
	assert_true(has_window());
	assert_false(watches()); /* it would exit for good */
	cpu_exit(&cpus[0], UINT16_MAX, 0, 0);
	assert_true(has_window());
	assert_false(watches());
	cpus[0].vcpu->rflags |= RFLAGS_IF;
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_false(has_window());
	assert_true(watches());
	assert_true(cpu_interrupt(&cpus[0], 0x77)); /* a higher one has come meanwhile */
	assert_int_equal(cpus[0].event, EVENT_VALID | EVENT_INTERRUPT | 0x77);
}

/* Where nobody watches any more it is the guest's own again. */
MACHINE_TEST(test_interrupt_that_is_left)
{
	watch();
	assert_true(cpu_interrupt(&cpus[0], 0x66));
	cpus[0].vcpu->watches = 0;
	cpu_exit(&cpus[0], VMEXIT_IRET, 0, 0);
	assert_false(has_window());
	assert_false(watches());
	assert_int_equal(cpus[0].event, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_beneath),
		cmocka_unit_test(test_undefined),
		cmocka_unit_test(test_ports_and_registers),
		cmocka_unit_test(test_nmis),
		cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_start_up),
		cmocka_unit_test(test_real_start_up),
		cmocka_unit_test(test_x2apic_start_up),
		cmocka_unit_test(test_watched_interrupt),
		cmocka_unit_test(test_interrupt_that_is_not_taken),
		cmocka_unit_test(test_interrupt_that_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
