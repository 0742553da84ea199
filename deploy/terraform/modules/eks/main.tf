resource "aws_cloudwatch_log_group" "control_plane" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = var.cluster_role_arn

  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  # Add-ons are ours, each at a version that is pinned.
  bootstrap_self_managed_addons = false

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_cidrs) > 0
    public_access_cidrs     = length(var.public_cidrs) > 0 ? var.public_cidrs : null
  }

  kubernetes_network_config {
    service_ipv4_cidr = var.service_cidr
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.secrets_key_arn
    }
  }

  # Who gets in is said by access entries alone: whoever made the cluster is nobody in it.
  dynamic "access_config" {
    for_each = var.emulated ? [] : [1]

    content {
      authentication_mode                         = "API"
      bootstrap_cluster_creator_admin_permissions = false
    }
  }

  dynamic "upgrade_policy" {
    for_each = var.emulated ? [] : [1]

    content {
      support_type = "STANDARD"
    }
  }

  lifecycle {
    precondition {
      condition     = !var.production || length(var.subnet_ids) >= 3
      error_message = "subnet_ids are of ${length(var.subnet_ids)} zones in production: three, so that a lost one leaves two."
    }
    precondition {
      condition     = var.emulated || length(var.admins) > 0
      error_message = "admins is empty: nobody could get into the cluster."
    }
  }

  depends_on = [aws_cloudwatch_log_group.control_plane]
}

resource "aws_eks_access_entry" "admin" {
  for_each = var.emulated ? toset([]) : var.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = var.emulated ? toset([]) : var.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.admin[each.key].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

# No policy of AWS': what deployers may do is the chart's Role, in its namespace.
resource "aws_eks_access_entry" "deployer" {
  count = var.emulated || var.deployer == null ? 0 : 1

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = var.deployer.role_arn
  kubernetes_groups = [var.deployers_group]
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = { for account, role in var.pod_roles : account => role if !var.emulated }

  cluster_name    = aws_eks_cluster.this.name
  namespace       = split("/", each.key)[0]
  service_account = split("/", each.key)[1]
  role_arn        = each.value
}
