output "sightline" {
  description = "All that environments/NAME.yaml and the chart's values take from here: `make terraform-outputs ENV=NAME` writes them."
  value = {
    environment = var.environment
    region      = var.region
    cluster = {
      name            = module.eks.name
      endpoint        = module.eks.endpoint
      namespace       = var.namespace
      deployers_group = module.eks.deployers_group
      gpu             = module.eks.gpu
    }
    images = {
      registry = module.iam.registry
    }
    database = {
      host              = module.rds.host
      port              = module.rds.port
      name              = module.rds.database
      master_secret_arn = module.rds.master_secret_arn
      cidrs             = module.vpc.database_cidrs
    }
    backups = {
      bucket    = module.s3.bucket
      prefix    = local.prefix
      lock_days = module.s3.lock_days
      lock_mode = module.s3.lock_mode
    }
    network = {
      load_balancer_cidrs = module.vpc.public_cidrs
      outside_addresses   = module.vpc.nat_addresses
    }
  }
}

output "role_arns" {
  description = "Roles, such as deployer (for people) and ci (for pipelines)."
  value       = module.iam.role_arns
}

output "add_ons" {
  description = "Add-ons of the cluster with their versions."
  value       = module.eks.add_ons
}
