locals {
  kinds = {
    cpu = { ami = "AL2023_x86_64_STANDARD", labels = {} }
    gpu = { ami = "AL2023_x86_64_NVIDIA", labels = { "sightline.io/gpu" = "true" } }
  }
}

# Has no rules: it only says who is a node, so that the database's group can name it.
resource "aws_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Who is a node"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-nodes" }
}

resource "aws_launch_template" "nodes" {
  for_each = var.node_groups

  name                   = "${var.name}-${each.key}"
  description            = "Nodes of ${var.name}"
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.nodes.id, aws_eks_cluster.this.vpc_config[0].cluster_security_group_id]

  # IMDSv2 alone, and one hop: a pod that asks for the node's credentials gets no answer.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-${each.key}" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.node_groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = var.node_role_arn
  subnet_ids      = var.subnet_ids
  version         = var.kubernetes_version
  ami_type        = local.kinds[each.value.gpu ? "gpu" : "cpu"].ami
  capacity_type   = each.value.spot ? "SPOT" : "ON_DEMAND"
  instance_types  = each.value.instance_types
  labels          = merge(local.kinds[each.value.gpu ? "gpu" : "cpu"].labels, each.value.labels)

  scaling_config {
    min_size     = each.value.min
    desired_size = each.value.desired
    max_size     = each.value.max
  }

  update_config {
    max_unavailable = 1
  }

  launch_template {
    id      = aws_launch_template.nodes[each.key].id
    version = aws_launch_template.nodes[each.key].latest_version
  }

  # Nothing that does not ask for a GPU takes the room of what does.
  dynamic "taint" {
    for_each = each.value.gpu ? [1] : []

    content {
      key    = "nvidia.com/gpu"
      value  = "true"
      effect = "NO_SCHEDULE"
    }
  }

  lifecycle {
    # The autoscaler's.
    ignore_changes = [scaling_config[0].desired_size]
  }

  # Nodes without the network plugin are never ready.
  depends_on = [aws_eks_addon.before_nodes]
}
