# What the account may do with a KMS key of ours, in one list for every key: what it forgets, nobody in the account
# can do. Makes nothing.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
