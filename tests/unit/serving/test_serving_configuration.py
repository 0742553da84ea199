"""Settings: which source wins, how text becomes a value, and errors that name what to mend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from cop_gateway.settings import Settings as GatewaySettings
from detection.settings import Settings as DetectionSettings
from serving.configuration import load
from serving.errors import ConfigurationError

PREFIX = "SIGHTLINE_TEST_"
SECRET = "hunter2-hunter2"


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str = "default.db"
    password: Annotated[str, Meta(max_length=8)] | None = None
    pages: Annotated[int, Meta(ge=1, le=100)] = 10


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    port: Annotated[int, Meta(ge=1, le=65_535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    needed: str = ""
    token: str | None = None
    certificate_file: str | None = None
    ratio: Annotated[float, Meta(ge=0, le=1)] = 0.5
    port: Annotated[int, Meta(ge=0, le=65_535)] = 80
    quick: bool = False
    level: Literal["low", "high"] = "low"
    labels: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    peers: tuple[Peer, ...] = ()
    store: Store = Store()
    spare: Store | None = None
    colour: str = "none"
    version: str = "0"


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    database: str
    store: Store


def read(*, toml: str | None = None, tmp_path: Path | None = None, cli=None, kind=Settings, **env):
    file = None
    if toml is not None:
        assert tmp_path is not None
        file = tmp_path / "settings.toml"
        file.write_text(toml)
    return load(
        kind,
        prefix=PREFIX,
        environ={name if "SIGHTLINE" in name else PREFIX + name: v for name, v in env.items()},
        file=file,
        overrides=cli,
    )


def refused(**how) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(**how)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path):
    toml = 'needed = "file"\nport = 1\nratio = 0.25'
    got = read(toml=toml, tmp_path=tmp_path, PORT="2", NEEDED="environment", cli={"port": 3})
    assert (got.needed, got.port, got.ratio) == ("environment", 3, 0.25)


def test_what_the_command_line_did_not_say_changes_nothing():
    assert read(PORT="2", cli={"port": None, "needed": None}).port == 2


def test_nothing_said_anywhere_is_the_default():
    assert read() == Settings()


def test_settings_do_not_change():
    with pytest.raises(AttributeError):
        read().port = 5


def test_a_variable_sets_one_field_of_a_table_and_leaves_the_files_others(tmp_path):
    got = read(toml='[store]\npath = "file.db"\npages = 7', tmp_path=tmp_path, STORE__PAGES="9")
    assert got.store == Store(path="file.db", pages=9)


def test_a_table_that_may_be_absent_can_be_set_by_its_fields():
    assert read(SPARE__PATH="x.db").spare == Store(path="x.db")
    assert read().spare is None


@pytest.mark.parametrize("text", ["a,b,c", " a , b,c,", '["a", "b", "c"]'])
def test_lists_come_with_commas_or_as_json(text):
    assert read(LABELS=text).labels == ("a", "b", "c")


def test_lists_of_numbers_and_of_tables():
    assert read(SIZES="1, 2,3").sizes == (1, 2, 3)
    got = read(PEERS='[{"name": "a", "port": 1}, {"name": "b", "port": 2}]')
    assert got.peers == (Peer(name="a", port=1), Peer(name="b", port=2))


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False)])
def test_switches(text, value):
    assert read(QUICK=text).quick is value


@given(st.integers(0, 65_535), st.floats(0, 1))
def test_every_number_within_the_limits_is_taken_as_it_is(port, ratio):
    got = read(PORT=str(port), RATIO=repr(ratio))
    assert (got.port, got.ratio) == (port, ratio)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))
def test_text_is_taken_as_it_is_whatever_it_looks_like(text):
    """Numbers, JSON, commas, the word null: a field that is text gets just that text."""
    got = read(NEEDED=text, TOKEN=text)
    assert (got.needed, got.token) == (text, text)


def test_shared_variables_have_no_prefix_of_one_service():
    got = read(SIGHTLINE_COLOUR="blue", SIGHTLINE_VERSION="1.2.3")
    assert (got.colour, got.version) == ("blue", "1.2.3")


def test_other_programs_variables_are_none_of_ours():
    environ = {"PATH": "/bin", "SIGHTLINE_OTHER_PORT": "5", "SIGHTLINE_COLOUR": "green"}
    assert load(Peer, prefix="SIGHTLINE_PEER_", environ=environ | {
        "SIGHTLINE_PEER_NAME": "a", "SIGHTLINE_PEER_PORT": "7"
    }) == Peer(name="a", port=7)  # fmt: skip


# Secrets.


@pytest.fixture
def secret(tmp_path):
    def write(text: str = SECRET) -> str:
        path = tmp_path / "secret"
        path.write_text(text)
        return str(path)

    return write


def test_a_secret_is_what_its_file_holds_without_the_last_line_end(secret):
    assert read(TOKEN_FILE=secret(f"{SECRET}\n")).token == SECRET
    assert read(STORE__PASSWORD_FILE=secret("short\r\n")).store.password == "short"
    assert read(TOKEN_FILE=secret(" kept \n")).token == " kept "


def test_a_field_that_is_called_file_is_a_path_and_is_not_read(secret):
    path = secret()
    assert read(CERTIFICATE_FILE=path).certificate_file == path


@pytest.mark.parametrize(
    ("variable", "holds"),
    [
        ("STORE__PASSWORD_FILE", SECRET),
        ("PORT_FILE", SECRET),
        ("RATIO_FILE", SECRET),
        ("LEVEL_FILE", SECRET),
        ("STORE_FILE", SECRET),
        ("STORE_FILE", f'{{"pages": "{SECRET}"}}'),
        ("STORE_FILE", f'{{"{SECRET}": 1}}'),
        ("PEERS_FILE", f'[{{"name": "a", "port": "{SECRET}"}}]'),
        ("PEERS_FILE", f'[{{"name": "a", "port": 1}}, {{"{SECRET}": 1}}]'),
        ("SIZES_FILE", f"1,2,{SECRET}"),
    ],
)
def test_what_a_secrets_file_holds_is_in_no_error(secret, variable, holds):
    sentence = refused(**{variable: secret(holds)})
    assert SECRET not in sentence
    assert sentence.startswith(PREFIX + variable)


def test_a_secret_beyond_a_limit_is_told_the_limit_and_not_the_value(secret):
    sentence = refused(PORT_FILE=secret("987654"))
    assert "987654" not in sentence
    assert "0..65535" in sentence


def test_a_secrets_file_that_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "missing"
    assert refused(TOKEN_FILE=str(missing)).startswith(f"{PREFIX}TOKEN_FILE: {missing}")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(TOKEN_FILE=str(binary))


# Errors.


@pytest.mark.parametrize("name", ["PROT", "STORE__PAHT", "PORT__X", "TOKN_FILE", "STORE__", ""])
def test_a_misspelt_variable_is_refused_with_the_known_ones(name):
    sentence = refused(**{PREFIX + name: "1"})
    assert sentence.startswith(PREFIX + name)
    for known in Settings.__struct_fields__:
        assert PREFIX + known.upper() in sentence


def test_a_misspelt_name_in_the_file_is_refused_with_the_known_ones(tmp_path):
    sentence = refused(toml="prot = 1", tmp_path=tmp_path)
    assert str(tmp_path / "settings.toml") in sentence
    assert "prot" in sentence
    assert "port" in sentence
    assert "pages" in refused(toml="[store]\npgaes = 1", tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"PORT": "65536"}, ["PORT", "65536", "0..65535"]),
        ({"PORT": "eight"}, ["PORT", "eight", "int"]),
        ({"RATIO": "nan"}, ["RATIO", "nan", "0..1"]),
        ({"RATIO": "1e999"}, ["RATIO", "inf", "0..1"]),
        ({"QUICK": "perhaps"}, ["QUICK", "perhaps"]),
        ({"LEVEL": "middle"}, ["LEVEL", "middle", "low", "high"]),
        ({"STORE__PAGES": "0"}, ["STORE__PAGES", "1..100"]),
        ({"SIZES": "1,two"}, ["SIZES"]),
        ({"PEERS": '[{"name": "a", "port": 70000}]'}, ["PEERS", "port", "70000", "1..65535"]),
        ({"PEERS": '[{"name": "a", "prot": 7}]'}, ["PEERS", "prot", "known: name, port"]),
        ({"PEERS": '[{"name": "a"}]'}, ["PEERS", "port", "is missing"]),
        ({"STORE": '{"pages": 101}'}, ["STORE", "pages", "101", "1..100"]),
        ({"STORE": "{not json"}, ["STORE", "{not json"]),
    ],
)
def test_a_value_that_does_not_fit_names_the_variable_and_the_limit(env, words):
    sentence = refused(**env)
    assert sentence.startswith(PREFIX + next(iter(env)))
    for word in words:
        assert word in sentence


def test_a_value_of_the_file_or_the_command_line_is_named_as_there(tmp_path):
    sentence = refused(toml="[store]\npages = 1000", tmp_path=tmp_path)
    assert f"{tmp_path / 'settings.toml'}: store.pages: " in sentence
    assert "1..100" in sentence
    assert refused(cli={"port": -1}).startswith("--port: ")


def test_what_is_missing_says_how_to_set_it():
    sentence = refused(kind=Strict, STORE__PATH="x")
    assert sentence.startswith("database: is missing")
    assert f"{PREFIX}DATABASE" in sentence


@pytest.mark.parametrize("content", [b"port = = 1", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not TOML") as caught:
        load(Settings, prefix=PREFIX, environ={}, file=file)
    assert str(caught.value).startswith(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file") as caught:
        load(Settings, prefix=PREFIX, environ={}, file=tmp_path / "none.toml")
    assert "none.toml" in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([name.upper() for name in Settings.__struct_fields__] + ["STORE__PAGES"]),
    text=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30),
)
def test_whatever_a_variable_holds_there_are_settings_or_one_error(name, text):
    if name.endswith("_FILE"):
        return
    try:
        read(**{name: text})
    except ConfigurationError as error:
        assert str(error).startswith(PREFIX + name)  # noqa: PT017


# What Kubernetes puts into every container of a namespace with a Service of our prefix' name.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "8001"),
        ("SERVICE_PORT_HTTP", "8001"),
        ("PORT", "tcp://10.0.0.1:8001"),
        ("PORT_8001_TCP", "tcp://10.0.0.1:8001"),
        ("PORT_8001_TCP_PROTO", "tcp"),
        ("PORT_8001_TCP_PORT", "8001"),
        ("PORT_8001_TCP_ADDR", "10.0.0.1"),
        ("BLUE_SERVICE_HOST", "10.0.0.2"),
        ("BLUE_SERVICE_PORT", "8001"),
        ("BLUE_PORT", "udp://10.0.0.2:8001"),
        ("BLUE_PORT_8001_TCP_ADDR", "10.0.0.2"),
    ],
)
def test_service_links_are_no_settings(name, value):
    assert read(**{name: value}) == Settings()


def test_the_port_as_a_number_is_a_setting_all_the_same():
    assert read(PORT="8001", SERVICE_PORT="9").port == 8001


# The services' own settings.


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MAX_AGE_SECONDS", "inf"),
        ("MAX_AGE_SECONDS", "1e15"),
        ("STALE_SECONDS", "inf"),
        ("QUEUE_LIMIT", "0"),
    ],
)
def test_the_gateway_refuses_numbers_that_it_could_not_work_with(variable, text):
    prefix = "SIGHTLINE_GATEWAY_"
    environ = {f"{prefix}DATABASE": "sqlite:///x.db", f"{prefix}GROUND_HEIGHT_M": "400"}
    load(GatewaySettings, prefix=prefix, environ=environ)
    with pytest.raises(ConfigurationError, match=f"^{prefix}{variable}: "):
        load(GatewaySettings, prefix=prefix, environ=environ | {prefix + variable: text})


def test_two_sinks_of_one_name_are_told_as_such():
    prefix = "SIGHTLINE_GATEWAY_"
    environ = {
        f"{prefix}DATABASE": "sqlite:///x.db",
        f"{prefix}GROUND_HEIGHT_M": "400",
        f"{prefix}SINKS": '[{"name": "a", "url": "tcp://x:1"}, {"name": "a", "url": "tcp://y:1"}]',
    }
    with pytest.raises(ConfigurationError, match=r"^sinks: every sink needs a name of its own$"):
        load(GatewaySettings, prefix=prefix, environ=environ)


def test_the_shortest_useful_start_of_each_service():
    gateway = load(
        GatewaySettings,
        prefix="SIGHTLINE_GATEWAY_",
        environ={
            "SIGHTLINE_GATEWAY_DATABASE": "sqlite:///gateway.db",
            "SIGHTLINE_GATEWAY_SINK": "tcp://127.0.0.1:8087",
            "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "312.5",
        },
        overrides={"host": None, "port": 8001},
    )
    assert gateway.database_path() == "gateway.db"
    assert [sink.url for sink in gateway.all_sinks()] == ["tcp://127.0.0.1:8087"]
    detection = load(
        DetectionSettings,
        prefix="SIGHTLINE_DETECTION_",
        environ={
            "SIGHTLINE_DETECTION_MODELS": "models/",
            "SIGHTLINE_DETECTION_GATEWAY_URL": "http://127.0.0.1:8001",
        },
    )
    assert (detection.models, detection.port) == ("models/", 8000)
