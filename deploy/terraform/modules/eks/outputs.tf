output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Address of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "nodes_group_id" {
  description = "Security group that says who is a node."
  value       = aws_security_group.nodes.id
}

output "service_cidr" {
  description = "Addresses of Kubernetes' Services."
  value       = var.service_cidr
}

output "deployers_group" {
  description = "Kubernetes group of the deployer's role."
  value       = var.deployers_group
}

output "gpu" {
  description = "How pods get onto nodes with a GPU, or null where there are none."
  value = length([for each in values(var.node_groups) : each if each.gpu]) == 0 ? null : {
    node_selector = local.kinds.gpu.labels
    tolerations   = [{ key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" }]
  }
}

output "add_ons" {
  description = "Add-ons with their versions."
  value       = merge({ for name, each in aws_eks_addon.before_nodes : name => each.addon_version }, { for name, each in aws_eks_addon.on_nodes : name => each.addon_version })
}
