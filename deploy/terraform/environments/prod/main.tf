terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket, region and key of the state: `terraform init -backend-config=state.tfbackend`, which
  # bootstrap writes. The lock is a file beside the state.
  backend "s3" {
    key          = "prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  # Keys of another account are refused before anything is asked.
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "sightline", Environment = "prod", ManagedBy = "terraform" }
  }
}

# A second region, for a copy of the backups.
provider "aws" {
  alias               = "replica"
  region              = var.replica_region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "sightline", Environment = "prod", ManagedBy = "terraform" }
  }
}

module "replica" {
  source    = "../../modules/replica"
  providers = { aws = aws.replica }

  bucket     = "sightline-prod-backups-${var.account_id}-replica"
  account_id = var.account_id
  region     = var.replica_region
}

module "platform" {
  source = "../../modules/platform"

  environment    = "prod"
  account_id     = var.account_id
  region         = var.region
  zones          = var.zones
  sizes          = var.sizes
  other_networks = var.other_networks
  api_cidrs      = var.api_cidrs
  admins         = var.admins
  deployers      = var.deployers
  ci             = var.ci
  notify         = var.notify
  replica        = module.replica.replica
  major_upgrade  = var.major_upgrade
  emulated       = var.emulated
}

output "sightline" {
  description = "What `make terraform-outputs ENV=prod` writes."
  value       = module.platform.sightline
}

output "role_arns" {
  description = "Roles of people, pipelines and pods."
  value       = module.platform.role_arns
}

output "add_ons" {
  description = "Add-ons of the cluster with their versions."
  value       = module.platform.add_ons
}
