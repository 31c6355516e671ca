# SPDX-License-Identifier: Apache-2.0
"""What the conformance guest may see beneath that it does not see bare, with the reason of each row: one list for AMD's
extension in QEMU, one for Intel's in Bochs. `python3 tests/machine/differences.py` prints them as docs/conformance.md shows
them."""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Difference:
	"""Regular expressions for the whole of a line's theme and key, and of its value beneath; why it may differ."""
	theme: str
	key: str
	beneath: str
	reason: str

	def covers(self, theme, key, beneath):
		return self.theme == theme and re.fullmatch(self.key, key) and re.fullmatch(self.beneath, beneath)


COMMAND_REGISTER = Difference("interrupts", r"(running|halted) 400 .*, icr", r"[0-9a-f]+",
	"the command register shows what was sent last by it: NMIs, INIT and SIPI are the hypervisor's to carry out")

DIFFERENCES = [
	Difference("cpuid", r"cpu 0 leaf 8000000[1a]\.0", r".{8} .{8} .{7}[012389ab] .{8}|0{8}( 0{8}){3}",
		"bit 2 of the third word, and the leaf of its features: SVM is in use, the guest's processor has none"),
	Difference("msrs", r"read c001011[4-8]-c001011[4-8]", r"18|vector d\(0\)",
		"VM_CR says that SVM is off and locked; the others of that group go with SVM, or hold back SMIs"),
	Difference("msrs", r"read (2000-200f|40000000-400000ff|bffffff0-bfffffff|c0012000-c001200f|fffffff0-fffffffe)",
		r"vector d\(0\)",
		"registers outside the ranges that exist: #GP, as on processors; QEMU reads zero"),
	Difference("msrs", r"bits (APIC_BASE|EFER)", r"[#ki.]+",
		"reserved bits of intercepted registers: #GP, as on processors; QEMU drops them"),
	Difference("exceptions", r"user.* svm_.*", r"#GP\(0\) .*",
		"SVM instructions in user code: the processor looks at the privilege before EFER, where SVM is on"),
	Difference("strings", r"32 n_null_outsl .*", r"#GP\(0\) .*",
		"an operand in a null segment, as on processors; QEMU looks at no segment's rights or limit"),
	Difference("paging", r"(device|lapic) .* (out|in)_own", r"#UD .*",
		"INS and OUTS between trapped registers and a port that is not: not emulated, see the caveats"),
	Difference("paging", r".* reserved (out_from|in_to)", r"#PF\([9b]\) .*",
		"a reserved bit is found in a page that is present, as on processors; QEMU leaves that bit of the error code out"),
	COMMAND_REGISTER,
	Difference("startup", r"start 12 .*", r"10",
		"INIT leaves CR0.CD and CR0.NW as they were, as on processors; QEMU sets them"),
	Difference("code", r"own next_instruction 0", r"ok, rax 0 .*",
		"no exit lies in it: in a nested guest QEMU 7.2 misses that a store changes the block it is in when its own "
		"translation has to be looked up"),
	Difference("debug", r"both device movs, trap 0|port cf8 rep ins trapped(, trap \d)?", r".*dr6 ffff0ff[13] .*|ok, 3 traps",
		"all breakpoints that an instruction hits, and those of repeated port input after each element, as on processors; "
		"QEMU stops at the first, and at the end"),
]


ON_INTEL = [
	Difference("cpuid", r"(cpu [01]|osxsave [01]|pge [01]) leaf 1(\.0)?",
		r"(ok, )?.{8} .{8} .{6}[08][012389ab] .{2}[014589cd].{5}",
		"bits 2, 4, 5 and 6 of the third word and bit 21 of the fourth: VMX is in use, the debug store writes to memory"),
	COMMAND_REGISTER,
	Difference("interrupts", r"(running|halted) 400 self", "1(00)?",
		"an NMI to oneself by shorthand, which Intel's APICs do not define: Bochs drops it, the hypervisor gives it"),
	Difference("startup", r"start 5 edx", r"206a7",
		"INIT leaves the processor's family, model and stepping in EDX, as on processors; Bochs leaves 0"),
	Difference("startup", r"start 12 .*", r"10",
		"INIT leaves CR0.CD and CR0.NW as they were, as on processors; Bochs sets them"),
	Difference("startup", r"start 31 .*", r".{6}[08][012389ab]", "as CPUID's leaf 1 above: this is its third word"),
	Difference("startup", r"kept 3", "7654321",
		"INIT leaves KERNEL_GS_BASE as it was, as on processors; Bochs clears it"),
]


def facts(text):
	"""{(theme, key): value}; a key that comes twice would hide a difference."""
	found, theme = {}, None
	for line in text.splitlines():
		header = re.fullmatch(r"\[(\w+)\]", line)
		if header:
			theme = header.group(1)
		elif theme and " = " in line:
			key, value = line.split(" = ", 1)
			assert (theme, key) not in found, f"{theme}: two lines of {key}"
			found[theme, key] = value
	return found


def compare(place, bare, beneath, rows, used):
	"""What differs without a row; rows that were needed go to `used`."""
	wrong = []
	for theme, key in list(bare) + [line for line in beneath if line not in bare]:
		one, other = bare.get((theme, key), "(no line)"), beneath.get((theme, key), "(no line)")
		if one == other:
			continue
		row = next((row for row in rows if row.covers(theme, key, other)), None)
		if row:
			used.add(row)
		else:
			wrong.append(f"{place}: {theme}: {key}\n  bare    {one}\n  beneath {other}")
	return wrong


def table(rows):
	lines = ["| theme | line | beneath | why |", "|---|---|---|---|"]
	for row in rows:
		cells = [row.theme, f"`{row.key}`", f"`{row.beneath}`", row.reason]
		lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
	return "\n".join(lines) + "\n"


if __name__ == "__main__":
	print(table(DIFFERENCES), table(ON_INTEL), sep="\n", end="")
