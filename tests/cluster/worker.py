"""A worker's files: what containerd, the kubelet, kube-proxy and the policy engine are told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from cluster.authority import Authority
from cluster.control_plane import SERVER
from cluster.plan import NAME_SERVER, POD_IMAGE, PODS, REGISTRY, SERVICES, Node, Plan

PLUGINS = "/usr/lib/cni"

CONTAINERD = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
stream_server_address = "{address}"
disable_apparmor = true
# Without CAP_SYS_RESOURCE nobody may ask to be spared by the out-of-memory killer.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{folder}/registries"
"""

# The first process of the node, in namespaces of its own for mounts, processes and its name: what
# it runs ends with it, and what it mounts goes with it. Logs, sockets, state are where they are on
# any node.
START = """\
set -e
hostname {name}
mount --make-rshared /
mount -t tmpfs -o mode=0755 tmpfs /run
mount --bind {folder}/log /var/log
mount -t overlay -o lowerdir=/var/lib,upperdir={folder}/lib,workdir={folder}/work overlay /var/lib
for each in kubelet containerd; do
    mkdir -p /var/lib/$each
    mount --bind {folder}/$each /var/lib/$each
done
mount --make-rshared /
containerd --config {folder}/containerd.toml >>{folder}/containerd.log 2>&1 &
while ! test -e {folder}/go; do sleep 0.1; done
while ! test -S /run/containerd/containerd.sock; do sleep 0.1; done
{program} kubelet --config={folder}/kubelet.json --kubeconfig={folder}/keys/kubelet.kubeconfig \\
    --hostname-override={name} --node-ip={address} --housekeeping-interval=5s \\
    --node-labels=topology.kubernetes.io/region=test,topology.kubernetes.io/zone={zone} \\
    >>{folder}/kubelet.log 2>&1 &
{program} kube-proxy --config={folder}/proxy.json --hostname-override={name} \\
    >>{folder}/kube-proxy.log 2>&1 &
while true; do
    # Ends until the node is known.
    {program} policies --kubeconfig={folder}/keys/policies.kubeconfig --node={name} \\
        --service-cluster-ip-range={services} >>{folder}/policies.log 2>&1 || sleep 0.5
done &
while true; do wait; sleep 1; done
"""


def write(plan: Plan, node: Node, authority: Authority, program: Path) -> None:
    """All its files."""
    folder = plan.of(node)
    for each in (
        "log", "lib", "work", "kubelet", "containerd", "cni", "keys", "volumes",
        f"registries/{REGISTRY}",
    ):  # fmt: skip
        (folder / each).mkdir(parents=True, exist_ok=True)
    values = {
        "name": node.name,
        "address": node.address,
        "zone": node.zone,
        "folder": shlex.quote(str(folder)),
        "program": shlex.quote(str(program)),
        "services": SERVICES,
        "image": POD_IMAGE,
        "plugins": PLUGINS,
    }
    (folder / "containerd.toml").write_text(CONTAINERD.format(**values))
    (folder / "start.sh").write_text(START.format(**values))
    (folder / "registries" / REGISTRY / "hosts.toml").write_text(
        f'[host."http://{REGISTRY}"]\ncapabilities = ["pull", "resolve"]\n'
    )
    (folder / "resolv.conf").write_text("# A node asks nobody.\n")
    keys = folder / "keys"
    user = f"system:node:{node.name}"
    authority.kubeconfig(keys / "kubelet.kubeconfig", SERVER, user, "system:nodes")
    authority.kubeconfig(keys / "proxy.kubeconfig", SERVER, "system:kube-proxy")
    authority.kubeconfig(keys / "policies.kubeconfig", SERVER, "policies")
    certificate, key = authority.sign(node.name, user, "system:nodes", addresses=(node.address,))
    for name, content in (
        ("cni/pods.conflist", _network(node)),
        ("kubelet.json", _kubelet(plan, node, str(authority.certificate), certificate, key)),
        ("proxy.json", _proxy(plan, keys / "proxy.kubeconfig")),
    ):
        (folder / name).write_text(json.dumps(content, indent=1))


def command(plan: Plan, node: Node) -> list[str]:
    """The command that is the node, to be run in its network namespace."""
    return [
        "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc",
        "/bin/sh", f"{plan.of(node)}/start.sh",
    ]  # fmt: skip


def _network(node: Node) -> dict[str, object]:
    # Point to point instead of a bridge: all traffic of pods is routed, and passes the firewall.
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(plan: Plan, node: Node, ca: str, certificate: Path, key: Path) -> dict[str, object]:
    folder = plan.of(node)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": ca},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.name}/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "clusterDNS": [NAME_SERVER],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{folder}/resolv.conf",
        "volumePluginDir": f"{folder}/plugins",
        # The node's disk and memory are the machine's, which others fill.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "200Mi"},
        # What they free again counts at once, not after five minutes.
        "evictionPressureTransitionPeriod": "5s",
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeLeaseDurationSeconds": 8,
        "serializeImagePulls": False,
        "syncFrequency": "10s",
    }


def _proxy(plan: Plan, kubeconfig: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "iptables",
        "clusterCIDR": PODS,
        "iptables": {"minSyncPeriod": plan.proxy_sync},
        # The kernel's table is shared by all who live on it.
        "conntrack": {"maxPerCore": 0},
    }
