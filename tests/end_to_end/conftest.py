"""One engine, one stack, one cluster for all end-to-end tests: starting them takes long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import cluster_images
import container_engine
import kubernetes_cluster
from container_engine import Engine
from deployment import Sightline
from kubernetes_cluster import Cluster
from stack import Stack


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Both daemons, with nothing in them but what earlier runs built."""
    container_engine.needs()
    # A socket's path may be no longer than a hundred bytes.
    folder = Path(tmp_path_factory.mktemp("engine", numbered=True))
    with Engine(folder).running() as running:
        yield running


@pytest.fixture(scope="session")
def images(engine: Engine) -> Engine:
    """The same, with every image that compose.yaml needs."""
    engine.images()
    return engine


@pytest.fixture(scope="session")
def stack(images: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of compose.yaml, drones included; `started` is how many seconds it took."""
    stack = Stack(images, tmp_path_factory.mktemp("stack"))
    try:
        stack.started = stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Kubernetes of three nodes, or the one that SIGHTLINE_KUBECONFIG names."""
    if given := os.environ.get("SIGHTLINE_KUBECONFIG"):
        yield Cluster.given(Path(given))
        return
    kubernetes_cluster.needs()
    with Cluster(tmp_path_factory.mktemp("cluster")).running() as running:
        yield running


@pytest.fixture(scope="session")
def published(engine: Engine, cluster: Cluster) -> Cluster:
    """The same, with our images in its registry."""
    cluster_images.publish(engine, cluster.registry_here)
    return cluster


@pytest.fixture(scope="session")
def sightline(published: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Sightline:
    """The chart installed from nothing, both colours ready, with a TAK server beside it."""
    sightline = Sightline(published, tmp_path_factory.mktemp("sightline"))
    sightline.prepare()
    sightline.install()
    return sightline
