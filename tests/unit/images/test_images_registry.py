"""A registry: pushes and pulls, whom it lets in, and what goes wrong."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess

import pytest

from fakes import container_images
from fakes.authority import Authority
from fakes.container_images import AMD64, ARM64
from fakes.registry import PASSWORD, USER, Registry
from running import required
from sightline.images import layout, logins, signing, store, transfer
from sightline.images.challenge import Login, parse
from sightline.images.errors import AbsentError, DamageError, RegistryError
from sightline.images.reference import kin
from sightline.images.registry import Access, Repository

ALICE = Login(user=USER, password=PASSWORD)


@pytest.fixture
def place(tmp_path):
    return container_images.image(tmp_path / "layout", platforms=(AMD64, ARM64))


def pushed(place, registry: Registry, access: Access | None = None) -> transfer.Sent:
    there = Repository(registry.name, "team/sightline-cli", access)
    return transfer.push(place, place.image, there, ("1.0", "newest"))


def test_all_of_an_image_arrives_and_comes_back(place, registry, tmp_path, key):
    signing.sign(place, place.image, "sightline-cli", key)
    sent = pushed(place, registry)
    assert sent.digest == place.image.digest
    assert sent.sidecars == (kin(sent.digest, "sig"),)
    assert registry.tags("team/sightline-cli") == {"1.0", "newest", kin(sent.digest, "sig")}
    there = Repository(registry.name, "team/sightline-cli")
    back, image = transfer.pull(there, "1.0", tmp_path / "back", "1.0")
    assert image.digest == sent.digest
    assert {str(each.config.platform) for each in store.variants(back, image)} == {
        "linux/amd64", "linux/arm64",
    }  # fmt: skip
    signing.verify(back, image, key.public)
    signing.verify(there, image, key.public)


def test_what_is_there_already_is_not_sent_again(place, registry):
    assert pushed(place, registry).sent_bytes > 0
    assert pushed(place, registry).sent_bytes == 0


def test_the_tag_comes_last(place, registry, key):
    """Whoever finds the tag finds the signature."""
    signing.sign(place, place.image, "sightline-cli", key)
    pushed(place, registry)
    puts = [path for method, path, _ in registry.asked if method == "PUT" and "/manifests/" in path]
    assert [each.rpartition("/")[2] for each in puts[-2:]] == ["1.0", "newest"]


@pytest.mark.parametrize("door", ["basic", "bearer"])
def test_a_registry_that_asks_who_we_are_is_told(place, door):
    with Registry(door=door) as registry:
        with pytest.raises(RegistryError, match="docker login"):
            pushed(place, registry)
        assert registry.manifests == {}
        pushed(place, registry, Access(login=ALICE))
        assert "1.0" in registry.tags("team/sightline-cli")


def test_a_password_is_never_sent_without_tls_to_elsewhere(place):
    with Registry(door="bearer") as registry:
        registry.realm = "http://tokens.example/token"
        with pytest.raises(RegistryError, match="without TLS"):
            pushed(place, registry, Access(login=ALICE))


def test_nothing_secret_follows_a_redirect(place, registry, tmp_path):
    pushed(place, registry)
    with Registry() as elsewhere:
        elsewhere.blobs = registry.blobs
        registry.blobs_at, registry.door = f"http://{elsewhere.name}", "basic"
        there = Repository(registry.name, "team/sightline-cli", Access(login=ALICE))
        transfer.pull(there, "1.0", tmp_path / "back", "1.0")
        assert len(elsewhere.asked) > 2
        assert {authorization for _, _, authorization in elsewhere.asked} == {None}


@pytest.fixture
def authority(tmp_path):
    made = Authority()
    (tmp_path / "ca.pem").write_bytes(made.pem)
    issued = made.issue("registry", hosts=("127.0.0.1",))
    (tmp_path / "server.pem").write_bytes(issued.pem + issued.key_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context, tmp_path / "ca.pem"


def test_a_registry_with_tls_is_trusted_by_its_authority_alone(place, authority, tmp_path):
    context, trusted = authority
    with Registry(tls=context, door="bearer") as registry:
        pushed(place, registry, Access(login=ALICE, ca_file=trusted))
        assert "1.0" in registry.tags("team/sightline-cli")
        (tmp_path / "other.pem").write_bytes(Authority().pem)
        with pytest.raises(RegistryError, match=r"(?i)certificate"):
            pushed(place, registry, Access(login=ALICE, ca_file=tmp_path / "other.pem"))


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        ("other manifest", DamageError, "digest"),
        ("other blob", DamageError, "not what its digest says"),
        ("broken off", RegistryError, "broke off"),
    ],
)
def test_what_comes_back_otherwise_is_refused(place, registry, tmp_path, trouble, error, words):
    pushed(place, registry)
    registry.trouble = trouble
    there = Repository(registry.name, "team/sightline-cli")
    with pytest.raises(error, match=words):
        transfer.pull(there, place.image.digest, tmp_path / "back", "1.0")
    assert layout.create(tmp_path / "back").index.manifests == ()


def test_a_full_registry_says_so_and_there_is_no_tag(place):
    with Registry(trouble="full") as registry:
        with pytest.raises(RegistryError, match="no space left"):
            pushed(place, registry)
        assert registry.tags("team/sightline-cli") == set()


def test_what_is_not_there_and_who_does_not_answer(registry, place):
    there = Repository(registry.name, "team/sightline-cli")
    with pytest.raises(AbsentError, match=r"1\.0"):
        there.find("1.0")
    registry.close()
    with pytest.raises(RegistryError, match="not reached"):
        pushed(place, registry)


def test_a_damaged_layout_is_not_pushed(place, registry):
    layer = store.variants(place, place.image)[0].manifest.layers[0]
    blob = place.path / "blobs" / layer.digest.replace(":", "/")
    blob.write_bytes(blob.read_bytes()[:-1] + b"\xff")
    with pytest.raises(DamageError, match=layer.digest):
        pushed(place, registry)
    assert registry.tags("team/sightline-cli") == set()


def test_skopeo_reads_what_we_push_and_we_read_what_it_pushes(place, registry, tmp_path):
    if shutil.which("skopeo") is None:
        required("skopeo is not installed: apt-get install skopeo")
    pushed(place, registry)

    def skopeo(*arguments: str) -> str:
        done = subprocess.run(("skopeo", *arguments), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    name = f"docker://{registry.name}/team/sightline-cli"
    told = json.loads(skopeo("inspect", "--tls-verify=false", f"{name}:1.0"))
    assert told["Digest"] == place.image.digest
    skopeo("copy", "--insecure-policy", "--all", "--preserve-digests", "--dest-tls-verify=false",
           f"oci:{place.path}:sightline-cli:1.0", f"{name}:by-skopeo")  # fmt: skip
    there = Repository(registry.name, "team/sightline-cli")
    _, image = transfer.pull(there, "by-skopeo", tmp_path / "back", "1.0")
    assert image.digest == place.image.digest


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ('Basic realm="a"', "basic", {"realm": "a"}),
        ('bearer realm="https://t/x?y=1,2",service="s",scope="repository:a:pull,push"', "bearer",
         {"realm": "https://t/x?y=1,2", "service": "s", "scope": "repository:a:pull,push"}),
        ('Bearer realm="a\\"b"', "bearer", {"realm": 'a"b'}),
        ("Bearer realm=a", "bearer", {"realm": "a"}),
    ],
)  # fmt: skip
def test_what_a_registry_asks_for_is_understood(header, scheme, parameters):
    found = parse(header, registry="r.example")
    assert (found.scheme, dict(found.parameters)) == (scheme, parameters)


@pytest.mark.parametrize("header", ["", "Negotiate", "Digest realm=x"])
def test_another_way_in_is_refused_by_name(header):
    with pytest.raises(RegistryError, match=r"r\.example"):
        parse(header, registry="r.example")


def write_login(folder, **settings) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))


def test_who_we_are_stands_where_docker_keeps_it(tmp_path):
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    write_login(tmp_path, auths={"r.example:5000": {"auth": encoded}})
    assert logins.login("r.example:5000", tmp_path) == ALICE
    assert logins.login("other.example", tmp_path) is None
    assert logins.login("r.example:5000", tmp_path / "nowhere") is None


def test_a_helper_of_docker_is_asked(tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-vault"
    helper.write_text(
        "#!/bin/sh\nread -r name\n"
        'if [ "$name" = r.example ]; then echo \'{"Username": "bob", "Secret": "s3"}\'; exit; fi\n'
        "echo credentials not found; exit 1\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    write_login(tmp_path / "docker", credsStore="vault")
    assert logins.login("r.example", tmp_path / "docker") == Login(user="bob", password="s3")
    assert logins.login("q.example", tmp_path / "docker") is None


def test_a_damaged_configuration_is_refused_without_a_word_of_it(tmp_path):
    write_login(tmp_path, auths={"r.example": {"auth": 5, "password": "hush-hush"}})
    with pytest.raises(RegistryError) as refused:
        logins.login("r.example", tmp_path)
    assert "hush" not in str(refused.value)
    assert PASSWORD not in repr(ALICE)
