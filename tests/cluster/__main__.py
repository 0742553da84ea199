"""make cluster, make cluster-down: a Kubernetes to try things on, until it is taken down.

python -m cluster up|down
"""

from __future__ import annotations

import sys

import pytest

from engine import ROOT
from kubernetes_cluster import STATE, Cluster, needs

FOLDER = ROOT / ".cache" / "cluster"


def main(what: str) -> int:
    cluster = Cluster(FOLDER)
    if what == "down":
        cluster.stop()
        left = cluster.leftovers()
        print("nothing is left" if not left else "left: " + ", ".join(left))
        return 1 if left else 0
    try:
        needs()
    except (pytest.skip.Exception, pytest.fail.Exception) as why:
        print(why, file=sys.stderr)
        return 1
    if (FOLDER / STATE).exists() and cluster.given(cluster.kubeconfig).alive():
        print("it is up already; make cluster-down ends it")
    else:
        try:
            cluster.start(stays=True)
        except BaseException:
            cluster.stop()
            raise
        print(f"Kubernetes is up after {cluster.seconds['names']:.0f} s. Now:")
    print(f"  export KUBECONFIG={cluster.kubeconfig}")
    print("  kubectl get nodes,pods --all-namespaces")
    print(f"  SIGHTLINE_KUBECONFIG={cluster.kubeconfig} make e2e   # the tests, on this one")
    print("  make cluster-down")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
