"""How the parts of the control plane are started: command lines, by the part's name."""

from __future__ import annotations

from pathlib import Path

from cluster.authority import Authority
from cluster.plan import (
    API_PORT,
    CONTROL,
    FIRST_SERVICE,
    PODS,
    REGISTRY_PORT,
    SERVICES,
    Plan,
)  # fmt: skip

DATABASE = "http://127.0.0.1:2379"
SERVER = f"https://{CONTROL}:{API_PORT}"


def first(plan: Plan, authority: Authority) -> dict[str, list[str]]:
    """What everything else needs."""
    keys = authority.folder
    ca = str(authority.certificate)
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
    server, server_key = authority.sign(
        "kube-apiserver", "kube-apiserver",
        addresses=(CONTROL, FIRST_SERVICE, "127.0.0.1", *names),
    )  # fmt: skip
    kubelets, kubelets_key = authority.sign("to-kubelets", "kube-apiserver", "system:masters")
    front, front_key = authority.sign("front-proxy", "front-proxy")
    return {
        "etcd": [
            "etcd", f"--data-dir={plan.folder}/etcd", "--unsafe-no-fsync", "--log-level=warn",
            f"--listen-client-urls={DATABASE}", f"--advertise-client-urls={DATABASE}",
            "--listen-peer-urls=http://127.0.0.1:2380",
        ],
        "kube-apiserver": [
            "kube-apiserver", f"--etcd-servers={DATABASE}", f"--advertise-address={CONTROL}",
            f"--secure-port={API_PORT}", f"--service-cluster-ip-range={SERVICES}",
            f"--client-ca-file={ca}", f"--tls-cert-file={server}",
            f"--tls-private-key-file={server_key}",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--service-account-issuer={SERVER}",
            f"--service-account-signing-key-file={keys}/service-accounts.key",
            f"--service-account-key-file={keys}/service-accounts.key",
            f"--kubelet-certificate-authority={ca}", f"--kubelet-client-certificate={kubelets}",
            f"--kubelet-client-key={kubelets_key}",
            # Otherwise exec and logs ask DNS for the node's name.
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={ca}", "--requestheader-allowed-names=front-proxy",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={front}", f"--proxy-client-key-file={front_key}",
            # There is no kube-proxy beside it: it reaches metrics-server by its pod's address.
            "--enable-aggregator-routing=true",
            # Five minutes by default: a test of a lost node shall not take that long.
            "--default-not-ready-toleration-seconds=10",
            "--default-unreachable-toleration-seconds=10",
        ],
        "registry": [
            "registry", f"--listen={CONTROL}:{REGISTRY_PORT}", f"--folder={plan.folder}/registry",
        ],
    }  # fmt: skip


def second(plan: Plan, authority: Authority) -> dict[str, list[str]]:
    """What needs the API server."""
    keys = authority.folder

    def kubeconfig(name: str, user: str, *groups: str) -> Path:
        return authority.kubeconfig(keys / f"{name}.kubeconfig", SERVER, user, *groups)

    controllers = kubeconfig("controllers", "system:kube-controller-manager")
    scheduler = kubeconfig("scheduler", "system:kube-scheduler")
    provisioner = kubeconfig("provisioner", "provisioner", "system:masters")
    return {
        "kube-controller-manager": [
            "kube-controller-manager", f"--kubeconfig={controllers}",
            f"--authentication-kubeconfig={controllers}",
            f"--authorization-kubeconfig={controllers}", "--leader-elect=false",
            "--use-service-account-credentials=true", f"--cluster-cidr={PODS}",
            f"--root-ca-file={authority.certificate}",
            f"--service-account-private-key-file={keys}/service-accounts.key",
            # By default it asks so little at a time that its controllers need seconds to start.
            "--kube-api-qps=300", "--kube-api-burst=600",
            "--node-monitor-period=1s", "--node-monitor-grace-period=12s",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=20s",
        ],
        "kube-scheduler": [
            "kube-scheduler", f"--kubeconfig={scheduler}",
            f"--authentication-kubeconfig={scheduler}",
            f"--authorization-kubeconfig={scheduler}", "--leader-elect=false",
            "--kube-api-qps=300", "--kube-api-burst=600",
        ],
        "provisioner": [
            "provisioner", f"--kubeconfig={provisioner}",
            f"--folder={plan.folder}/%s/volumes",
        ],
    }  # fmt: skip
