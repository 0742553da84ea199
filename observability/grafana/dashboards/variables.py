"""What can be chosen at the head of a board."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from grafana.dashboards.panel import data_source

ALL = "$__all"


@dataclass(frozen=True, kw_only=True)
class Variable(ABC):
    """Its name is what queries call it by."""

    name: str
    label: str
    description: str

    @abstractmethod
    def builder(self) -> Any:
        """The variable for the SDK."""


@dataclass(frozen=True, kw_only=True)
class Source(Variable):
    """A data source: one Prometheus, one Loki for each environment."""

    def builder(self) -> Any:
        """All of this kind; the provisioned one at first."""
        return (
            dashboard.DatasourceVariable(self.name)
            .type(self.name)
            .label(self.label)
            .description(self.description)
            .current(model.VariableOption(selected=True, text=self.name.title(), value=self.name))
        )


@dataclass(frozen=True, kw_only=True)
class Label(Variable):
    """A label's values, as a metric has them; several or all may be chosen."""

    values_of: str
    """As Grafana writes it: `metric, label`."""
    everything: str = ".*"
    """What "all" stands for in a query."""

    def builder(self) -> Any:
        """Read anew whenever the time changes."""
        return (
            dashboard.QueryVariable(self.name)
            .label(self.label)
            .description(self.description)
            .datasource(data_source("prometheus"))
            .query(f"label_values({self.values_of})")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(self.everything)
            .current(model.VariableOption(selected=True, text=["All"], value=[ALL]))
        )


@dataclass(frozen=True, kw_only=True)
class Words(Variable):
    """Whatever is typed in."""

    default: str = ""

    def builder(self) -> Any:
        """An empty box takes everything."""
        return (
            dashboard.TextBoxVariable(self.name)
            .label(self.label)
            .description(self.description)
            .default_value(self.default)
            .current(model.VariableOption(selected=True, text=self.default, value=self.default))
        )


@dataclass(frozen=True, kw_only=True)
class Choice(Variable):
    """Any of a few words."""

    words: tuple[str, ...]

    def builder(self) -> Any:
        """All of them at first."""
        return (
            dashboard.CustomVariable(self.name)
            .label(self.label)
            .description(self.description)
            .values(",".join(self.words))
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(model.VariableOption(selected=True, text=["All"], value=[ALL]))
        )


ENVIRONMENT = Source(
    name="prometheus", label="Environment", description="Whose Prometheus: one each environment."
)
LOGS = Source(name="loki", label="Logs", description="Whose Loki.")
COLOUR = Label(
    name="colour",
    label="Colour",
    description="Blue, green, or both.",
    values_of="sightline_build_info, colour",
)
VERSION = Label(
    name="version",
    label="Version",
    description="Of the services.",
    values_of='sightline_build_info{colour=~"$colour"}, version',
)
SERVICE = Label(
    name="service",
    label="Service",
    description="As Prometheus' job calls it.",
    values_of="sightline_build_info, job",
    # Loki wants one matcher that takes no empty value.
    everything=".+",
)
SINK = Label(
    name="sink",
    label="Sink",
    description="Where the picture goes.",
    values_of="sightline_gateway_sink_held, sink",
)
MODEL = Label(
    name="model",
    label="Model",
    description="As the detection service calls it.",
    values_of="sightline_detection_model_info, model",
)
RELEASE = (COLOUR, VERSION)
LEVEL = Choice(
    name="level",
    label="Level",
    description="How loud a line is.",
    words=("debug", "info", "warning", "error", "critical"),
)
TRACE = Words(
    name="trace_id",
    label="Trace",
    description="A trace's id, or how it begins: every line about one frame, of both services.",
)
CAMERA = Words(name="camera", label="Camera", description="A part of the camera's id.")
SEARCH = Words(name="search", label="Words", description="A part of the line (RE2, any case).")
