"""The detection service's settings: few to start with, and each refused by its name and limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from detection.settings import PREFIX, Settings
from serving import configuration
from serving.errors import ConfigurationError

MODELS = {f"{PREFIX}MODELS": "models/"}


def load(environ: dict[str, str], file: Path | None = None) -> Settings:
    return configuration.load(Settings, prefix=PREFIX, environ=environ, file=file)


def refused(environ: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, file)
    return str(caught.value)


def test_the_shortest_useful_start_is_the_models_and_the_gateway():
    settings = load({**MODELS, f"{PREFIX}GATEWAY_URL": "http://127.0.0.1:8001"})
    assert settings.models == "models/"
    assert settings.gateway_url == "http://127.0.0.1:8001"
    # Nobody else reaches it unless that is asked for.
    assert settings.host == "127.0.0.1"


def test_without_models_it_says_how_to_name_them():
    assert f"{PREFIX}MODELS" in refused({})
    assert f"{PREFIX}MODELS" in refused({f"{PREFIX}MODELS": ""})


def test_settings_cannot_be_changed_once_they_are_read():
    settings = load(MODELS)
    with pytest.raises(AttributeError):
        settings.confidence = 0.5


def test_a_variable_comes_before_the_file(tmp_path):
    file = tmp_path / "detection.toml"
    file.write_text('models = "there"\nqueue_limit = 7\nconfidence = 0.5\n')
    settings = load({f"{PREFIX}QUEUE_LIMIT": "9"}, file)
    assert (settings.models, settings.queue_limit, settings.confidence) == ("there", 9, 0.5)


@pytest.mark.parametrize(
    ("name", "wrong", "limit"),
    [
        ("CONFIDENCE", "1.01", "0..1"),
        ("CONFIDENCE", "high", "high"),
        ("NMS_IOU", "-0.1", "0..1"),
        ("MAX_DETECTIONS", "0", "1..10000"),
        ("INPUT_SIZE", "31", "32..8192"),
        ("MAX_MODEL_MEGABYTES", "0", "0..2000"),
        ("MAX_IMAGE_MEGAPIXELS", "1001", "0..1000"),
        ("LANES", "0", "1..256"),
        ("INTRA_THREADS", "65", "1..64"),
        ("QUEUE_LIMIT", "-1", "0..10000"),
        ("DEADLINE_SECONDS", "0", "0..3600"),
        ("DRAIN_SECONDS", "-1", "0..3600"),
        ("PORT", "65536", "0..65535"),
        ("LOG_LEVEL", "loud", "debug, error, info, warning"),
    ],
)
def test_a_wrong_value_is_named_with_its_limit(name, wrong, limit):
    sentence = refused({**MODELS, f"{PREFIX}{name}": wrong})
    assert sentence.startswith(f"{PREFIX}{name}: ")
    assert limit in sentence


@pytest.mark.parametrize("name", ["QUEUE", "MODEL", "GATEWAY"])
def test_a_misspelt_name_is_an_error_and_not_ignored(name, tmp_path):
    sentence = refused({**MODELS, f"{PREFIX}{name}": "1"})
    assert sentence.startswith(f"{PREFIX}{name}: ")
    assert f"{PREFIX}QUEUE_LIMIT" in sentence
    file = tmp_path / "detection.toml"
    file.write_text(f'models = "there"\n{name.lower()} = 1\n')
    assert name.lower() in refused({}, file)


@pytest.mark.parametrize(
    "url", ["http://gateway:8001", "https://cop.example/gateway", "http://[::1]"]
)
def test_a_gateway_is_an_http_address(url):
    assert load({**MODELS, f"{PREFIX}GATEWAY_URL": url}).gateway_url == url


@pytest.mark.parametrize(
    "url", ["gateway:8001", "ftp://gateway", "http://", "http://a/b?c=d", "http://a b"]
)
def test_anything_else_is_no_gateway(url):
    sentence = refused({**MODELS, f"{PREFIX}GATEWAY_URL": url})
    assert sentence.startswith(f"{PREFIX}GATEWAY_URL: ")


def test_the_gateways_key_is_what_its_file_holds(tmp_path):
    file = tmp_path / "key"
    file.write_text("sl_secret\n")
    assert load({**MODELS, f"{PREFIX}GATEWAY_KEY_FILE": str(file)}).gateway_key == "sl_secret"
    sentence = refused({**MODELS, f"{PREFIX}GATEWAY_KEY_FILE": str(tmp_path / "none")})
    assert sentence.startswith(f"{PREFIX}GATEWAY_KEY_FILE: ")


def test_colour_and_version_are_shared_with_the_other_services():
    settings = load({**MODELS, "SIGHTLINE_COLOUR": "green", "SIGHTLINE_VERSION": "1.2.3"})
    assert (settings.colour, settings.version) == ("green", "1.2.3")
