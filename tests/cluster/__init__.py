"""A real Kubernetes on one machine: how `kubernetes_cluster.Cluster` is made."""
