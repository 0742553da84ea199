# The network: public, private and database subnets in each zone, NAT gateways, endpoints of AWS' services, flow
# logs. The default security group lets nothing through; the database's subnets have no way out.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
