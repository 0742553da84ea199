"""The settings that the chart renders are what the services themselves read."""

from __future__ import annotations

from pathlib import Path

import pytest

import cop_gateway.settings
import detection.settings
import manifests
from manifests import COLOURS, ENVIRONMENTS, rendered
from serving import configuration

SETTINGS = {"detection": detection.settings, "gateway": cop_gateway.settings}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_services_take_the_settings_that_are_rendered(environment, tmp_path):
    all_ = rendered(environment=environment)
    for section, module in SETTINGS.items():
        component = manifests.COMPONENTS[section]
        for colour in COLOURS if environment != "dev" else ("blue",):
            environ = all_.pod(f"Deployment/{component}-{colour}").environment
            file = tmp_path / f"{section}.toml"
            data = all_.one("ConfigMap", f"{component}-{colour}")["data"]
            file.write_text(data[f"{section}.toml"])
            found = configuration.load(
                module.Settings,
                prefix=module.PREFIX,
                environ=secrets_in(tmp_path, environ, data),
                file=file,
            )
            assert (found.host, found.colour) == ("0.0.0.0", colour)
            assert found.access.keys == "/run/secrets/keys.toml"
            assert found.access.token_secret == "token-secret-that-is-long-enough-to-sign-with"
            assert found.drain_seconds + found.shutdown_seconds + 5 < 45


def secrets_in(folder: Path, environ: dict[str, str], data: dict[str, str]) -> dict[str, str]:
    """The same variables, with the files that they name made."""
    made = {}
    for name, value in environ.items():
        if name.endswith("_FILE"):
            key = Path(value).name
            url = "postgresql://sightline@sightline-database/sightline"
            content = url if key == "database-url" else f"{key}-that-is-long-enough-to-sign-with"
            (folder / key).write_text(data.get(key, content))
            made[name] = str(folder / key)
        else:
            made[name] = value
    return made


def test_numbers_tables_and_lists_come_out_as_they_went_in(tmp_path):
    sinks = [
        {
            "name": "a",
            "url": "tcp://a:8087",
            "events_per_second": 12.5,
            "filter": {"classes": ["car", "bus"], "area": [-1.5, 0, 2, 3e-07]},
        },
        {
            "name": "b",
            "url": "tls://b:8089",
            "tls": {"package": "/run/tak/b.zip", "verify_hostname": False},
        },
    ]
    given = {
        "max_body_bytes": 50_000_000,
        "callsign": 'Eye "1" <&> \\ ü',
        "simulated": True,
        "access": {"anonymous": ["read"], "burst": 5},
        "sinks": sinks,
    }
    all_ = rendered({"gateway": {"settings": given}})
    file = tmp_path / "gateway.toml"
    file.write_text(all_.one("ConfigMap", "cop-gateway-blue")["data"]["gateway.toml"])
    found = configuration.load(
        cop_gateway.settings.Settings,
        prefix="SIGHTLINE_GATEWAY_",
        environ={"SIGHTLINE_GATEWAY_DATABASE": "sqlite:///x.db"},
        file=file,
    )
    assert found.max_body_bytes == 50_000_000
    assert found.callsign == given["callsign"]
    assert found.simulated is True
    assert (found.access.anonymous, found.access.burst) == (("read",), 5)
    assert found.access.keys == "/run/secrets/keys.toml", "the chart's own stays beside it"
    first, second = found.sinks
    assert (first.events_per_second, first.filter.classes) == (12.5, ("car", "bus"))
    assert first.filter.area == (-1.5, 0, 2, 3e-07)
    assert (second.tls.package, second.tls.verify_hostname) == ("/run/tak/b.zip", False)


def test_a_list_in_a_colour_takes_the_place_of_the_shared_one_and_maps_are_laid_over():
    all_ = rendered(
        {
            "gateway": {
                "settings": {"sinks": [{"name": "a", "url": "tcp://a:1"}], "access": {"burst": 5}}
            },
            "colours": {
                "green": {
                    "gateway": {
                        "settings": {
                            "sinks": [{"name": "b", "url": "tcp://b:1"}],
                            "access": {"token_seconds": 60},
                        }
                    }
                }
            },
        }
    )
    green = all_.one("ConfigMap", "cop-gateway-green")["data"]["gateway.toml"]
    assert 'name = "b"' in green
    assert 'name = "a"' not in green
    assert "burst = 5" in green
    assert "token_seconds = 60" in green
