"""The stack synthesised for tests: its template and what cdk-nag says, once for each set of options."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App
from infrastructure.app import FLAGS, build

SKIP = {"bundles": "skip"}


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """`file` is the template as it was written; `findings` are those of cdk-nag that nobody acknowledged."""

    file: Path
    template: dict[str, Any]
    findings: list[str]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources by their logical ids."""
        return {name: each for name, each in self.template["Resources"].items() if each["Type"] == kind}

    def properties(self, kind: str, *, starting: str = "") -> dict[str, Any]:
        """Those of the only resource of a type whose logical id begins so."""
        (found,) = (each for name, each in self.of_type(kind).items() if name.startswith(starting))
        properties: dict[str, Any] = found.get("Properties", {})
        return properties

    def name(self, kind: str, *, starting: str = "") -> str:
        """The logical id of that only resource."""
        (found,) = (name for name in self.of_type(kind) if name.startswith(starting))
        return found


def synthesise(folder: Path, **options: Any) -> Synthesis:
    """A stack of these options, with empty functions."""
    app = App(context={**FLAGS, **SKIP, **options}, outdir=str(folder))
    return finished(app, folder, build(app, {}).stack_name)


def finished(app: App, folder: Path, name: str) -> Synthesis:
    """The application synthesised, whatever cdk-nag thinks of it."""
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
    file = folder / f"{name}.template.json"
    report = json.loads((folder / "validation-report.json").read_text())
    return Synthesis(file=file, template=json.loads(file.read_text()), findings=list(_findings(report)))


def _findings(report: dict[str, Any]) -> Iterable[str]:
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                yield f"{violation['ruleName']} {construct['constructPath']}"
