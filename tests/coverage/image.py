# SPDX-License-Identifier: Apache-2.0
"""The lines of an image that ran in machines: what plugin.c has counted, by the image's debug information."""
import array
import os

from elftools.elf.elffile import ELFFile


class Image:
	"""`elf` is linked at 0; `entry` names the function it is entered by."""

	def __init__(self, elf, entry, directory):
		self.path = f"{directory}/{os.path.basename(elf)}.image"
		self.hits_path = f"{self.path}.hits"
		self._file = ELFFile(open(elf, "rb"))
		self.entry = self._file.get_section_by_name(".symtab").get_symbol_by_name(entry)[0]["st_value"]

	def write(self, fresh):
		"""The code as it lies in memory, for the plugin. Counts of an earlier run are forgotten when `fresh`, and when
		they are another image's."""
		section = self._file.get_section_by_name(".text")
		code = bytes(section["sh_addr"]) + section.data()
		if os.path.exists(self.hits_path) and (fresh or self._written() != code):
			os.unlink(self.hits_path)
		with open(self.path, "wb") as out:
			out.write(code)

	def _written(self):
		with open(self.path, "rb") as written:
			return written.read()

	def argument(self):
		return f"image={self.path}@{self.entry:x}"

	def _hits(self):
		hits = array.array("Q")
		if os.path.exists(self.hits_path):
			with open(self.hits_path, "rb") as file:
				hits.frombytes(file.read())
		return hits

	def lines(self):
		"""{file: {line: whether it ran}}, files relative to where they were compiled. A line is one that has a
		statement in the debug information."""
		hits = self._hits()
		found = {}
		dwarf = self._file.get_dwarf_info()
		for unit in dwarf.iter_CUs():
			program = dwarf.line_program_for_CU(unit)
			if not program:
				continue
			names = _file_names(program, unit)
			for name, line, address in _statements(program):
				lines = found.setdefault(names[name], {})
				lines[line] = lines.get(line, False) or (address < len(hits) and hits[address] > 0)
		return found


def _text(value):
	return value.decode() if isinstance(value, bytes) else value


def _file_names(program, unit):
	"""The unit's files by number."""
	header = program.header
	directory = _text(unit.get_top_DIE().attributes["DW_AT_comp_dir"].value)
	folders = [_text(folder) for folder in header["include_directory"]]
	if header["version"] < 5:
		folders.insert(0, directory)
	names = [os.path.relpath(os.path.join(directory, folders[entry.dir_index], _text(entry.name)), directory)
		for entry in header["file_entry"]]
	return names if header["version"] >= 5 else [None] + names


def _statements(program):
	"""File, line and address of each statement in functions that the linker has kept: it leaves those that it dropped
	at address 0."""
	first = None
	for entry in program.get_entries():
		state = entry.state
		if state is None:
			continue
		if first is None:
			first = state.address
		if first != 0 and state.is_stmt and state.line and not state.end_sequence:
			yield state.file, state.line, state.address
		if state.end_sequence:
			first = None
