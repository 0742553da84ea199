# What must be there before Terraform can keep its state: a bucket with versions, which takes the lock as a file
# (`use_lockfile`), and its key; and two rules for the whole account. Applied once for each account: [the
# tutorial](../../../docs/tutorials/from-an-empty-account.md).
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "sightline", Environment = var.environment, ManagedBy = "terraform" }
  }
}
