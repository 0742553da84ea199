terraform {
  # The native lock file of S3 came with 1.10, in OpenTofu, too.
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
