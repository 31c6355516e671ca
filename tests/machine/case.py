# SPDX-License-Identifier: Apache-2.0
"""How a machine test makes itself known: @case("what it shows"), in a file of cases/ named after its theme."""
import dataclasses
import typing


@dataclasses.dataclass
class Case:
	name: str
	theme: str
	promise: str
	cost: int
	function: typing.Callable


CASES = []


def case(promise, cost=1):
	"""`cost` only orders them: the costly ones start first."""
	def register(function):
		theme = function.__module__.rpartition(".")[2]
		CASES.append(Case(function.__name__.replace("_", "-"), theme, promise, cost, function))
		return function
	return register
