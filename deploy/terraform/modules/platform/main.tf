locals {
  table = csvdecode(file("${path.module}/../../sizes.csv"))
  size  = merge({ for row in local.table : row.setting => row[var.environment] }, var.sizes)

  name       = "sightline-${var.environment}"
  zones      = var.zones != null ? var.zones : [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  production = var.environment == "prod"
  # The account's number makes it one of a kind.
  bucket = "${local.name}-backups-${var.account_id}"
  prefix = "gateway"

  cidrs = one([for row in local.table : row if row.setting == "cidr"])
  others = merge(
    { for each in ["dev", "staging", "prod"] : each => local.cidrs[each] if each != var.environment },
    { services = local.service_cidr },
    var.other_networks,
  )
  service_cidr = "172.20.0.0/16"

  node_groups = merge(
    {
      general = {
        instance_types = [local.size.node_type]
        min            = tonumber(local.size.node_min)
        desired        = tonumber(local.size.node_desired)
        max            = tonumber(local.size.node_max)
      }
    },
    local.size.gpu_type == "" ? {} : {
      gpu = { instance_types = [local.size.gpu_type], min = 0, desired = 0, max = tonumber(local.size.gpu_max), disk_gb = 100, gpu = true }
    },
  )
}

resource "terraform_data" "checked" {
  input = local.name

  lifecycle {
    precondition {
      condition     = !local.production || length(local.zones) == 3
      error_message = "zones has ${length(local.zones)} in prod: three, so that a lost one leaves two."
    }
    precondition {
      condition     = !local.production || local.size.nat == "per_zone"
      error_message = "nat is ${local.size.nat} in prod: per_zone, or a lost zone takes the way to TAK of all along."
    }
    precondition {
      condition     = !local.production || local.size.protected == "true"
      error_message = "protected is ${local.size.protected} in prod. To take prod down on purpose, see docs/tutorials/from-an-empty-account.md."
    }
    precondition {
      condition     = (local.size.replicated == "true") == (var.replica != null)
      error_message = "replicated is ${local.size.replicated}, and replica is ${var.replica == null ? "not given" : "given"}: sizes.csv and the environment's main.tf must agree."
    }
  }
}

module "iam" {
  source = "../iam"

  name                = local.name
  account_id          = var.account_id
  region              = var.region
  namespace           = var.namespace
  backups_bucket      = local.bucket
  backups_prefix      = local.prefix
  ci                  = var.ci
  deployers           = var.deployers
  budget_usd          = tonumber(local.size.budget_usd)
  notify              = var.notify
  database_identifier = local.name
  database_storage_gb = tonumber(local.size.database_storage_gb)
  nat_gateway_ids     = module.vpc.nat_gateway_ids
}

module "vpc" {
  source = "../vpc"

  name                     = local.name
  account_id               = var.account_id
  region                   = var.region
  zones                    = local.zones
  cidr                     = local.size.cidr
  other_networks           = local.others
  nat                      = local.size.nat
  endpoint_zones           = tonumber(local.size.endpoint_zones)
  bucket_prefix            = local.name
  flow_log_days            = tonumber(local.size.log_days)
  logs_key_arn             = module.iam.key_arns["logs"]
  permissions_boundary_arn = module.iam.boundary_arn
}

module "eks" {
  source = "../eks"

  name               = local.name
  kubernetes_version = local.size.kubernetes_version
  production         = local.production
  vpc_id             = module.vpc.vpc_id
  subnet_ids         = module.vpc.private_subnet_ids
  public_cidrs       = var.api_cidrs
  service_cidr       = local.service_cidr
  node_groups        = local.node_groups
  admins             = var.admins
  deployer           = length(var.deployers) > 0 || var.ci != null ? { role_arn = module.iam.role_arns["deployer"] } : null
  cluster_role_arn   = module.iam.role_arns["cluster"]
  node_role_arn      = module.iam.role_arns["nodes"]
  network_role_arn   = module.iam.role_arns["network"]
  volumes_role_arn   = module.iam.role_arns["volumes"]
  pod_roles          = { "${var.namespace}/sightline-backups" = module.iam.role_arns["backups"] }
  secrets_key_arn    = module.iam.key_arns["cluster"]
  logs_key_arn       = module.iam.key_arns["logs"]
  log_days           = tonumber(local.size.log_days)
  emulated           = var.emulated
  tags               = { Project = "sightline", Environment = var.environment, ManagedBy = "terraform" }
}

module "rds" {
  source = "../rds"

  name                = local.name
  production          = local.production
  postgres_version    = local.size.postgres_version
  major_upgrade       = var.major_upgrade
  class               = local.size.database_class
  storage_gb          = tonumber(local.size.database_storage_gb)
  most_storage_gb     = tonumber(local.size.database_most_storage_gb)
  multi_az            = tobool(local.size.database_multi_az)
  backup_days         = tonumber(local.size.database_backup_days)
  insights_days       = tonumber(local.size.insights_days)
  protected           = tobool(local.size.protected)
  log_days            = tonumber(local.size.log_days)
  vpc_id              = module.vpc.vpc_id
  subnet_ids          = module.vpc.database_subnet_ids
  clients_group_id    = module.eks.nodes_group_id
  key_arn             = module.iam.key_arns["database"]
  logs_key_arn        = module.iam.key_arns["logs"]
  monitoring_role_arn = module.iam.role_arns["monitoring"]
}

module "s3" {
  source = "../s3"

  bucket                   = local.bucket
  account_id               = var.account_id
  region                   = var.region
  key_arn                  = module.iam.key_arns["backups"]
  lock_days                = tonumber(local.size.lock_days)
  lock_mode                = local.size.lock_mode
  access_log_days          = tonumber(local.size.log_days)
  replica                  = var.replica
  permissions_boundary_arn = module.iam.boundary_arn
}
