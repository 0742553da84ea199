# PostgreSQL: encrypted, TLS alone, to be brought back to any second, reached by the nodes alone, with a master
# password that RDS makes, keeps and changes.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
