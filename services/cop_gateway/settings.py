"""What an operator can set: a TOML file and SIGHTLINE_GATEWAY_* variables, parsed once."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cop_gateway.errors import SettingsError
from serving import command
from serving.keychain import AccessSettings
from sightline.messages import Sensor
from telemetry import logs

PREFIX = "SIGHTLINE_GATEWAY_"
_BLANK = re.compile(r"\{[^}]*\}?")

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Metres = Annotated[float, Meta(ge=-500, le=9_000)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings: a name that nobody knows is an error."""


class FilterSettings(_Section, frozen=True, kw_only=True):
    """What a sink wants: [sinks.filter]. What is not set is no limit; all limits must hold."""

    classes: tuple[str, ...] = ()
    """Names of classes; others are left out."""
    affiliations: tuple[Literal["u", "f", "h", "n", "p", "a", "s", "j", "k", "o", "x"], ...] = ()
    """Second atoms of the CoT type: u unknown, f friend, h hostile, n neutral, ..."""
    min_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Detections that score less are left out."""
    max_ce90_m: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    """Detections with a larger error, metres, are left out."""
    area: tuple[Latitude, Longitude, Latitude, Longitude] | None = None
    """South, west, north, east in degrees; west may be larger than east, across 180 degrees."""
    cameras: bool = True
    """Whether it wants the cameras themselves and the points that they look at."""


class TransformSettings(_Section, frozen=True, kw_only=True):
    """What a sink's events say differently: [sinks.transform]."""

    access: str | None = None
    """The attribute `access` of each event."""
    caveat: str | None = None
    """The attribute `caveat`."""
    releasable_to: str | None = None
    """The attribute `releasableTo`."""
    groups: tuple[str, ...] = ()
    """Groups of the TAK server that get the events (marti/dest)."""
    callsign_prefix: Annotated[str, Meta(max_length=32)] = ""
    """Goes before each callsign."""


class TlsSettings(_Section, frozen=True, kw_only=True):
    """Certificates of a tls:// sink: [sinks.tls]. Files are read again when they change."""

    certificate: str | None = None
    """Our certificate with its chain: PEM, or PKCS#12 with the key in it."""
    key: str | None = None
    """The key, where it is not in that file."""
    password_file: str | None = None
    """File with the password of the key or of the PKCS#12."""
    ca: str | None = None
    """Whom to trust: PEM, DER or a PKCS#12 truststore; else the CA beside our certificate."""
    ca_password_file: str | None = None
    """File with the truststore's password."""
    package: str | None = None
    """TAK connection data package (.zip): host, port and certificates; `url` may then be empty."""
    enrol_user: str | None = None
    """Enrol for a certificate as this user, with the CA above and the password below."""
    enrol_password_file: str | None = None
    """File with that user's password."""
    enrol_port: Annotated[int, Meta(ge=1, le=65_535)] = 8446
    """Where the server enrols."""
    state_folder: str | None = None
    """Where an enrolled certificate is kept, with its key."""
    server_name: str | None = None
    """What the server's certificate must name, where that is not the host of `url`."""
    verify_hostname: bool = True
    """Off: any certificate from the CA is taken, whatever it names."""


class SinkSettings(_Section, frozen=True, kw_only=True):
    """One TAK server or mesh: [[sinks]]."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Names its cursor in the database: a sink with a new name begins at the newest event."""
    url: str = ""
    """tcp://host:port; tls://host:port; or udp://host:port for datagrams (multicast as well)."""
    tls: TlsSettings = msgspec.field(default_factory=TlsSettings)
    """Certificates of a tls:// sink: a table."""
    acknowledge: Literal["ping", "send", "auto"] = "ping"
    """What moves the cursor: the pong, sending alone (a weaker promise), or auto: the pong, unless
    the peer has never answered a ping."""
    protocol: Literal["auto", "xml", "protobuf"] = "auto"
    """Of a stream: protocol buffers where the server offers them (auto), or XML; of datagrams:
    protocol buffers (auto), or XML."""
    stale: Literal["all", "live_only", "latest_per_uid"] = "all"
    """What is sent late, after an outage: everything; nothing whose time is over; or of that only
    the newest of each object."""
    events_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """The most that goes out."""
    filter: FilterSettings = msgspec.field(default_factory=FilterSettings)
    """What the sink wants: a table."""
    transform: TransformSettings = msgspec.field(default_factory=TransformSettings)
    """What its events say differently: a table."""
    backoff_max_seconds: Annotated[float, Meta(gt=0, le=3_600)] = 15.0
    """The longest wait before connecting again."""
    breaker_failures: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """After so many failures in a row, the next try waits for breaker_seconds."""
    breaker_seconds: Annotated[float, Meta(gt=0, le=3_600)] = 30.0
    """How long delivery rests then."""
    pong_seconds: Annotated[float, Meta(gt=0, le=600)] = 15.0
    """A peer that does not answer a ping for so long is taken for lost."""
    presence_seconds: Annotated[float, Meta(ge=0, le=3_600)] = 60.0
    """How often we tell of ourselves, so that servers and clients list us; 0 for never."""
    ttl: Annotated[int, Meta(ge=0, le=255)] = 1
    """Multicast: through how many routers."""
    interface: str | None = None
    """Multicast: the address (IPv6: the name) of the interface to send from."""


class CameraSettings(_Section, frozen=True, kw_only=True):
    """One camera: [[cameras]]. What is stated in a frame goes before what is stated here."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    """As frames call it: camera_id."""
    sensor: Sensor | None = None
    """Pose and lens of a fixed camera, for frames that state none."""
    ground_height_m: Metres | None = None
    """Height of the ground that this camera looks at."""


class Settings(_Section, frozen=True, kw_only=True):
    """The gateway's settings."""

    database: Annotated[str, Meta(pattern=r"^(sqlite:///.+|postgres(ql)?://.+)")]
    """sqlite:///relative.db or sqlite:////absolute.db for one gateway; postgresql://user@host/name
    for any number of them (with a password in it, name it by its file)."""
    ground_height_m: Metres
    """Height of the ground, where a camera has none of its own."""
    ground_height_reference: Literal["hae", "msl"] = "hae"
    """Above the WGS84 ellipsoid, or above mean sea level (EGM96)."""
    ground_sigma_m: Annotated[float, Meta(ge=0, le=1_000)] = 3.0
    """One sigma of that height, metres."""
    sink: str | None = None
    """One sink by its address alone; it is then named tak."""
    sinks: tuple[SinkSettings, ...] = ()
    """TAK servers: an array of tables."""
    cameras: tuple[CameraSettings, ...] = ()
    """What is known of cameras beforehand: an array of tables."""

    identity: Annotated[str, Meta(min_length=1, max_length=128)] = "sightline"
    """Our uid as a TAK client; another one for each gateway of a TAK server."""
    callsign: Annotated[str, Meta(min_length=1, max_length=64)] = "Sightline"
    """What TAK clients call us."""
    presence_type: Annotated[str, Meta(pattern=r"^a-[a-z]-[A-Z](-[A-Za-z0-9]+)*$")] = "a-f-G-U-C"
    """Our own CoT type."""
    presence_position: tuple[Latitude, Longitude] | None = None
    """Where we are, degrees; without it we are listed and not drawn."""

    classes_file: str | None = None
    """YAML that overrides or extends the table of classes."""
    unknown_class_type: str = "a-u-G"
    """CoT type of a class that is in no table (its name is in the remarks); `refuse` refuses such
    a detection with 422."""
    stale_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """After how long a TAK client may drop a sighting."""
    simulated: bool = False
    """Mark every event as simulated (how = m-s)."""
    qos: Annotated[str, Meta(pattern=r"^\d-[rfi]-[gcd]$")] | None = None
    """The attribute `qos` of every event: priority, overtaking, assurance, such as 5-r-d."""
    opex: Annotated[str, Meta(pattern=r"^(o|[es](-[A-Za-z0-9._-]{1,64})?)$")] | None = None
    """The attribute `opex` of every event: o operations, e-NAME exercise, s-NAME simulation."""
    image_url: Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=1_024)] | None = None
    """Where a frame's picture can be seen, linked from each of its sightings: an address with
    {camera_id} and {frame_id} in it."""
    ce_meaning: Literal["ce90", "sigma"] = "ce90"
    """What `point/@ce` states: the 90 % error, as TAK clients show it, or one sigma."""
    platform_interval_seconds: Seconds = 1.0
    """How often each camera tells of itself on the map; 0 for never."""

    grazing_degrees: Annotated[float, Meta(ge=0.1, le=45)] = 3.0
    """A ray that meets the ground at a flatter angle is not placed."""
    range_limit_m: Annotated[float, Meta(gt=0, le=1_000_000)] = 20_000.0
    """A ray that meets the ground farther away, metres, is not placed."""
    ce90_limit_m: Annotated[float, Meta(gt=0, le=100_000)] = 5_000.0
    """A detection with a larger error, metres, is not placed."""
    track_timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """A track that was not seen for so long is over; its uid is not used again."""

    max_age_seconds: Annotated[float, Meta(gt=0, le=100 * 365 * 86_400)] = 30 * 86_400.0
    """How old a frame may be when it arrives."""
    max_future_seconds: Seconds = 60.0
    """How far a camera's clock may be ahead."""
    queue_limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_024
    """Frames that may wait for their commit; beyond it the answer is 503."""
    max_body_bytes: Annotated[int, Meta(ge=1_024, le=1 << 30)] = 8 << 20
    """A longer body is refused with 413."""

    access: AccessSettings = msgspec.field(default_factory=AccessSettings)
    """Who may do what: a table."""
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] | None = 30.0
    """How long history, audit trail and dead letters are kept; what is undelivered stays longer."""
    max_store_megabytes: Annotated[float, Meta(gt=0, le=100_000_000)] | None = None
    """The store grows no larger: the oldest that is delivered goes first; when all that is left
    is undelivered, frames are refused with 507."""
    min_free_megabytes: Annotated[float, Meta(ge=0, le=100_000_000)] = 64.0
    """Frames are refused with 507 before the disk has less than this left (SQLite)."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of this machine."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8001
    """0 takes a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Of the JSON lines on stdout."""
    log_sample_rate: Annotated[float, Meta(gt=0, le=1_000_000)] = logs.SAMPLE_RATE
    """Lines of successful calls to one route that are written each second; of what comes on top,
    1 in log_sample_every. Failures, slow calls and warnings are always written."""
    log_sample_every: Annotated[int, Meta(ge=1, le=1_000_000)] = logs.SAMPLE_EVERY
    """Which, the trace id decides, alike in every service; 1 keeps all. Such a line says how many
    were left out before it (`suppressed`)."""
    otlp_endpoint: Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] | None = None
    """A collector that takes traces as OTLP over HTTP, such as http://collector:4318; else as
    OTEL_EXPORTER_OTLP_ENDPOINT says, else none are sent."""
    trace_sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of traces that begin here, how many are kept; a caller's trace is kept if the caller says so
    (traceparent)."""
    drain_seconds: Seconds = 0.0
    """On SIGTERM: how long to answer on while not ready, so that a balancer looks elsewhere."""
    shutdown_seconds: Annotated[float, Meta(ge=1, le=3_600)] = 30.0
    """On SIGTERM: how long open requests may take to end."""
    version: str = msgspec.field(default_factory=command.release)
    """Marks log lines and metrics."""
    colour: str = "none"
    """Marks log lines and metrics: blue or green."""

    def __post_init__(self) -> None:
        names = [sink.name for sink in self.all_sinks()]
        if len(names) != len(set(names)):
            raise ValueError("sinks: every sink needs a name of its own")
        if unknown := set(_BLANK.findall(self.image_url or "")) - {"{camera_id}", "{frame_id}"}:
            raise ValueError(f"image_url: {min(unknown)} is neither {{camera_id}} nor {{frame_id}}")
        cameras = [camera.id for camera in self.cameras]
        if len(cameras) != len(set(cameras)):
            raise ValueError("cameras: every camera needs an id of its own")

    def all_sinks(self) -> tuple[SinkSettings, ...]:
        """The one of `sink` and those of `sinks`."""
        short = (SinkSettings(name="tak", url=self.sink),) if self.sink else ()
        return short + self.sinks

    @property
    def shares_database(self) -> bool:
        """Whether other gateways may use the database as well."""
        return not self.database.startswith("sqlite:")

    def database_path(self) -> str:
        """The file that `database` names."""
        path = self.database.removeprefix("sqlite:///")
        if path.startswith(":"):
            raise SettingsError("database: an outbox in memory would lose what was acknowledged")
        return path
