locals {
  # `aws eks describe-addon-versions --kubernetes-version 1.36` lists what there is.
  pinned = {
    "1.35" = {
      vpc-cni                = "v1.22.3-eksbuild.1"
      kube-proxy             = "v1.35.3-eksbuild.17"
      eks-pod-identity-agent = "v1.3.10-eksbuild.3"
      coredns                = "v1.13.2-eksbuild.11"
      aws-ebs-csi-driver     = "v1.63.1-eksbuild.1"
      metrics-server         = "v0.9.0-eksbuild.5"
    }
    "1.36" = {
      vpc-cni                = "v1.22.3-eksbuild.1"
      kube-proxy             = "v1.36.0-eksbuild.13"
      eks-pod-identity-agent = "v1.3.10-eksbuild.3"
      coredns                = "v1.14.3-eksbuild.3"
      aws-ebs-csi-driver     = "v1.63.1-eksbuild.1"
      metrics-server         = "v0.9.0-eksbuild.5"
    }
  }
  versions = { for name, version in local.pinned[var.kubernetes_version] : name => version if !var.emulated }

  early = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"]
  settings = {
    # The chart denies everything that it does not let through: somebody must enforce that.
    vpc-cni = { enableNetworkPolicy = "true" }
    # The chart's claims take the cluster's default class; bootstrap has made encryption the account's default.
    aws-ebs-csi-driver = { defaultStorageClass = { enabled = true } }
  }
  roles = {
    vpc-cni            = { account = "aws-node", arn = var.network_role_arn }
    aws-ebs-csi-driver = { account = "ebs-csi-controller-sa", arn = var.volumes_role_arn }
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = { for name, version in local.versions : name => version if contains(local.early, name) }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = contains(keys(local.settings), each.key) ? jsonencode(local.settings[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.roles), each.key) ? [local.roles[each.key]] : []

    content {
      service_account = pod_identity_association.value.account
      role_arn        = pod_identity_association.value.arn
    }
  }
}

# These run on nodes, and are not there before one is.
resource "aws_eks_addon" "on_nodes" {
  for_each = { for name, version in local.versions : name => version if !contains(local.early, name) }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = contains(keys(local.settings), each.key) ? jsonencode(local.settings[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.roles), each.key) ? [local.roles[each.key]] : []

    content {
      service_account = pod_identity_association.value.account
      role_arn        = pod_identity_association.value.arn
    }
  }

  depends_on = [aws_eks_node_group.this]
}
