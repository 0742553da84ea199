# Who may do what: roles with a boundary, keys with rotation, repositories for images, and who is told of costs
# and alarms.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
