# One environment out of the five modules beside it: sizes from [sizes.csv](../../sizes.csv), what prod may not
# be, and one output with all that releases and the chart need.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
