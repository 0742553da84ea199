"""From what an operator wrote about certificates to where they come from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cop_gateway.delivery import SinkAddressError
from cop_gateway.delivery.certificates import CredentialsError
from cop_gateway.delivery.credential_files import CredentialFiles, reveal
from cop_gateway.delivery.credentials import CredentialSource
from cop_gateway.delivery.data_package import PackageFile
from cop_gateway.delivery.enrolment import Enrolment
from cop_gateway.delivery.tcp import authority
from cop_gateway.settings import SinkSettings, TlsSettings


def source_of(sink: SinkSettings, host: str, identity: str) -> CredentialSource:
    """Where a sink's certificates come from. Raises SinkAddressError or CredentialsError."""
    tls = sink.tls
    files: CredentialSource
    if tls.package is not None:
        files = PackageFile(Path(tls.package), password=_path(tls.password_file))
    else:
        if tls.ca is None and tls.certificate is None:
            raise SinkAddressError(
                f"sink {sink.name}: tls.ca is missing: nobody says whom to trust"
            )
        files = CredentialFiles(
            certificate=_path(tls.certificate),
            key=_path(tls.key),
            password=_path(tls.password_file),
            ca=_path(tls.ca),
            ca_password=_path(tls.ca_password_file),
        )
    if tls.enrol_user is None:
        return files
    return _enrolment(sink, tls, host, identity, files)


def package_address(sink: SinkSettings) -> SplitResult:
    """The address of a sink whose connection data package states it."""
    package = PackageFile(
        Path(sink.tls.package or ""), password=_path(sink.tls.password_file)
    ).package()
    scheme = "tls" if package.protocol in ("ssl", "tls") else package.protocol
    return urlsplit(f"{scheme}://{authority(package.host, package.port)}")


def _enrolment(
    sink: SinkSettings, tls: TlsSettings, host: str, identity: str, ca: CredentialSource
) -> CredentialSource:
    if tls.enrol_password_file is None or tls.state_folder is None:
        missing = "enrol_password_file" if tls.enrol_password_file is None else "state_folder"
        raise SinkAddressError(f"sink {sink.name}: tls.{missing} is missing, to enrol")
    try:
        password = reveal(Path(tls.enrol_password_file))
    except CredentialsError as error:
        raise SinkAddressError(f"sink {sink.name}: tls.enrol_password_file: {error}") from error
    return Enrolment(
        host=host,
        port=tls.enrol_port,
        user=tls.enrol_user or "",
        password=password or "",
        client_uid=identity,
        folder=Path(tls.state_folder),
        ca=ca,
        verify_hostname=tls.verify_hostname,
        server_name=tls.server_name,
    )


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
