# A second bucket like that of [s3](../s3/README.md) in another region, with a key of its own there; prod's
# backups are copied to it.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
