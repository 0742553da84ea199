mock_provider "aws" {}

variables {
  name             = "sightline-prod"
  production       = true
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2", "subnet-3"]
  node_groups      = { general = { instance_types = ["m7i.xlarge"], min = 3, desired = 3, max = 10 } }
  admins           = ["arn:aws:iam::123456789012:role/platform"]
  deployer         = { role_arn = "arn:aws:iam::123456789012:role/deployer" }
  cluster_role_arn = "arn:aws:iam::123456789012:role/cluster"
  node_role_arn    = "arn:aws:iam::123456789012:role/nodes"
  network_role_arn = "arn:aws:iam::123456789012:role/network"
  volumes_role_arn = "arn:aws:iam::123456789012:role/volumes"
  pod_roles        = { "detection-system/sightline-backups" = "arn:aws:iam::123456789012:role/backups" }
  secrets_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/cluster"
  logs_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/logs"
  tags             = { Project = "sightline", Environment = "prod", ManagedBy = "terraform" }
}

run "promises" {
  command = plan
  module { source = "../eks" }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The API server is on the internet though nobody asked."
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.secrets_key_arn && contains(aws_eks_cluster.this.encryption_config[0].resources, "secrets")
    error_message = "Secrets are not encrypted with our key."
  }
  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "A log of the control plane is off."
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Somebody gets in past the access entries."
  }
  assert {
    condition     = alltrue([for each in aws_launch_template.nodes : each.metadata_options[0].http_tokens == "required" && each.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Nodes answer IMDSv1, or answer pods."
  }
  assert {
    condition     = alltrue([for each in aws_launch_template.nodes : each.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "A node's disk is not encrypted."
  }
  assert {
    condition = alltrue(flatten([for each in aws_launch_template.nodes : [for spec in each.tag_specifications : (
      spec.tags["Project"] == "sightline" && spec.tags["Environment"] == "prod"
    )]]))
    error_message = "Instances or volumes are not tagged."
  }
  assert {
    condition = alltrue([for each in merge(aws_eks_addon.before_nodes, aws_eks_addon.on_nodes) : (
      can(regex("^v[0-9.]+-eksbuild[.][0-9]+$", each.addon_version))
    )]) && length(aws_eks_addon.before_nodes) + length(aws_eks_addon.on_nodes) == 6
    error_message = "An add-on is not pinned."
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "Nobody enforces network policies."
  }
  assert {
    condition     = [for each in aws_eks_pod_identity_association.this : "${each.namespace}/${each.service_account}"] == ["detection-system/sightline-backups"]
    error_message = "Other pods than the backup job's get rights."
  }
  assert {
    condition     = length(aws_eks_access_policy_association.admin) == 1 && aws_eks_access_entry.deployer[0].kubernetes_groups == toset(["sightline-deployers"])
    error_message = "The deployer is not in its group alone."
  }
}

run "older_kubernetes_has_its_own_add_ons" {
  command = plan
  module { source = "../eks" }
  variables { kubernetes_version = "1.35" }

  assert {
    condition     = startswith(aws_eks_addon.before_nodes["kube-proxy"].addon_version, "v1.35.")
    error_message = "kube-proxy is of another version than the cluster."
  }
}

run "gpu_nodes_are_tainted" {
  command = plan
  module { source = "../eks" }
  variables {
    node_groups = {
      general = { instance_types = ["m7i.xlarge"], min = 3, desired = 3, max = 10 }
      gpu     = { instance_types = ["g6.xlarge"], min = 0, desired = 0, max = 2, gpu = true }
    }
  }

  assert {
    condition     = one(aws_eks_node_group.this["gpu"].taint).key == "nvidia.com/gpu" && aws_eks_node_group.this["gpu"].ami_type == "AL2023_x86_64_NVIDIA"
    error_message = "Other pods take the GPU nodes' room."
  }
  assert {
    condition     = length(aws_eks_node_group.this["general"].taint) == 0 && output.gpu.node_selector["sightline.io/gpu"] == "true"
    error_message = "Detection would not find the GPU nodes."
  }
}

run "named_networks_may" {
  command = plan
  module { source = "../eks" }
  variables { public_cidrs = ["198.51.100.0/24"] }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["198.51.100.0/24"])
    error_message = "Others than the named networks reach the API server."
  }
}

run "open_to_the_world" {
  command = plan
  module { source = "../eks" }
  variables { public_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.public_cidrs]
}

run "open_to_half_of_it" {
  command = plan
  module { source = "../eks" }
  variables { public_cidrs = ["0.0.0.0/1", "128.0.0.0/1"] }
  expect_failures = [var.public_cidrs]
}

run "unsupported_version" {
  command = plan
  module { source = "../eks" }
  variables { kubernetes_version = "1.29" }
  expect_failures = [var.kubernetes_version]
}

run "production_in_two_zones" {
  command = plan
  module { source = "../eks" }
  variables { subnet_ids = ["subnet-1", "subnet-2"] }
  expect_failures = [aws_eks_cluster.this]
}

run "nobody_gets_in" {
  command = plan
  module { source = "../eks" }
  variables { admins = [] }
  expect_failures = [aws_eks_cluster.this]
}

run "a_user_as_admin" {
  command = plan
  module { source = "../eks" }
  variables { admins = ["arn:aws:iam::123456789012:user/somebody"] }
  expect_failures = [var.admins]
}

run "only_gpu_nodes" {
  command = plan
  module { source = "../eks" }
  variables { node_groups = { gpu = { instance_types = ["g6.xlarge"], min = 1, desired = 1, max = 2, gpu = true } } }
  expect_failures = [var.node_groups]
}

run "fewer_than_the_least" {
  command = plan
  module { source = "../eks" }
  variables { node_groups = { general = { instance_types = ["m7i.xlarge"], min = 3, desired = 2, max = 10 } } }
  expect_failures = [var.node_groups]
}
