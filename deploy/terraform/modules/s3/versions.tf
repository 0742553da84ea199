# The bucket for backups: versions, object lock, one key, TLS alone, access logs, and a copy in another region
# where that is wanted.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
