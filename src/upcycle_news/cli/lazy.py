"""Commands whose module is imported only when they are run, or asked for their own help.

Typer builds each command from its function, and so would import all modules to print a list. Here
the list holds names and sentences, and the modules may import at their top what they need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class LazyCommand(TyperCommand):
    """A command's name and first sentence; its parameters and full help come from its function."""

    def __init__(self, name: str, function: str, sentence: str) -> None:
        """`function` is ``module:function`` below this package; `sentence` begins its docstring."""
        super().__init__(name=name, help=sentence)
        self.function = function

    def load(self) -> Any:
        """Import the module and return the command that Typer makes of its function."""
        module, _, attribute = self.function.partition(":")
        function = getattr(import_module(f"{__package__}.{module}"), attribute)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name)(function)
        return typer.main.get_command(single)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the context of the loaded command: it is the one that runs, completes or prints help."""
        return self.load().make_context(*args, **kwargs)


def lazy_group(name: str, sentence: str, commands: Mapping[str, tuple[str, str]]) -> TyperGroup:
    """Return a group of lazy commands: ``{name: ("module:function", sentence)}``."""
    return TyperGroup(
        name=name,
        help=sentence,
        no_args_is_help=True,
        rich_markup_mode=None,
        commands={name: LazyCommand(name, *entry) for name, entry in commands.items()},
    )


class SectionedGroup(TyperGroup):
    """A group whose help lists its commands below a heading for each kind."""

    sections: Mapping[str, Sequence[Any]] = {}

    def __init__(self, **kwargs: Any) -> None:
        """Take the commands from `sections`, which a subclass sets, in their order."""
        commands = [command for section in self.sections.values() for command in section]
        super().__init__(**{**kwargs, "commands": commands})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections into the help."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(command.name, command.get_short_help_str(64)) for command in commands]
                )
