"""The port `Notes`: annotations, as every dashboard shows them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import urllib3

from sightline.releases.errors import RemoteError

SECONDS = 5.0


class Grafana:
    """By its address, and a service account's token in a file."""

    def __init__(self, url: str, token_file: Path | None) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._http = urllib3.PoolManager()

    def annotate(self, sentence: str, *tags: str) -> None:
        """`POST /api/annotations`. Raises RemoteError."""
        headers = {"Content-Type": "application/json"}
        if self._token_file is not None:
            try:
                token = self._token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise RemoteError(f"{self._token_file}: {error.strerror}") from error
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._http.request(
                "POST", f"{self._url}/api/annotations", headers=headers, timeout=SECONDS, retries=1,
                body=msgspec.json.encode({"text": sentence, "tags": list(tags)}),
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            raise RemoteError(f"Grafana at {self._url} does not answer: {error}") from error
        if answer.status >= 300:
            raise RemoteError(f"Grafana at {self._url} answers {answer.status} to an annotation")
