mock_provider "aws" {}

variables {
  name                     = "sightline-prod"
  account_id               = "123456789012"
  region                   = "eu-central-1"
  zones                    = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  cidr                     = "10.40.0.0/16"
  other_networks           = { dev = "10.20.0.0/16", services = "172.20.0.0/16" }
  bucket_prefix            = "sightline-prod"
  logs_key_arn             = "arn:aws:kms:eu-central-1:123456789012:key/logs"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
}

run "promises" {
  command = plan
  module { source = "../vpc" }

  assert {
    condition     = length(aws_subnet.public) == 3 && length(aws_subnet.private) == 3 && length(aws_subnet.database) == 3
    error_message = "A zone lacks a subnet."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "Zones share a NAT gateway."
  }
  assert {
    condition     = alltrue([for each in aws_subnet.public : !each.map_public_ip_on_launch])
    error_message = "Instances get public addresses by themselves."
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.kms_key_id == var.logs_key_arn
    error_message = "Flow logs are not whole, or not encrypted."
  }
  assert {
    condition     = length(setsubtract(["ecr.api", "ecr.dkr", "sts", "logs"], keys(aws_vpc_endpoint.interface))) == 0 && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "An endpoint is missing."
  }
  assert {
    condition     = alltrue([for each in aws_vpc_security_group_ingress_rule.endpoints : startswith(each.cidr_ipv4, "10.40.")])
    error_message = "Endpoints are open to others."
  }
  assert {
    condition     = alltrue([for each in aws_vpc_endpoint.interface : length(jsondecode(each.policy).Statement) >= 1])
    error_message = "An endpoint has no policy."
  }
}

run "one_nat_gateway" {
  command = plan
  module { source = "../vpc" }
  variables { nat = "one" }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "One gateway must serve all three zones."
  }
}

run "overlaps_another_environment" {
  command = plan
  module { source = "../vpc" }
  variables { other_networks = { office = "10.40.128.0/20" } }
  expect_failures = [aws_vpc.this]
}

run "lies_within_another_network" {
  command = plan
  module { source = "../vpc" }
  variables { other_networks = { all = "10.0.0.0/8" } }
  expect_failures = [aws_vpc.this]
}

run "neighbours_do_not_overlap" {
  command = plan
  module { source = "../vpc" }
  variables { other_networks = { before = "10.39.0.0/16", after = "10.41.0.0/16", each_other = "10.41.0.0/24" } }
}

run "subnets_overlap" {
  command = plan
  module { source = "../vpc" }
  variables {
    subnets = {
      public   = ["10.40.0.0/22", "10.40.4.0/22", "10.40.8.0/22"]
      private  = ["10.40.32.0/19", "10.40.64.0/19", "10.40.96.0/19"]
      database = ["10.40.12.0/24", "10.40.13.0/24", "10.40.40.0/24"]
    }
  }
  expect_failures = [aws_vpc.this]
}

run "subnet_outside" {
  command = plan
  module { source = "../vpc" }
  variables {
    subnets = {
      public   = ["10.40.0.0/22", "10.40.4.0/22", "10.40.8.0/22"]
      private  = ["10.40.32.0/19", "10.40.64.0/19", "10.40.96.0/19"]
      database = ["10.40.12.0/24", "10.40.13.0/24", "10.41.0.0/24"]
    }
  }
  expect_failures = [aws_vpc.this]
}

run "a_subnet_too_few" {
  command = plan
  module { source = "../vpc" }
  variables {
    subnets = {
      public   = ["10.40.0.0/22", "10.40.4.0/22"]
      private  = ["10.40.32.0/19", "10.40.64.0/19", "10.40.96.0/19"]
      database = ["10.40.12.0/24", "10.40.13.0/24", "10.40.14.0/24"]
    }
  }
  expect_failures = [var.subnets]
}

run "public_addresses" {
  command = plan
  module { source = "../vpc" }
  variables { cidr = "8.8.0.0/16" }
  expect_failures = [var.cidr]
}

run "one_zone" {
  command = plan
  module { source = "../vpc" }
  variables { zones = ["eu-central-1a"] }
  expect_failures = [var.zones]
}

run "zones_of_another_region" {
  command = plan
  module { source = "../vpc" }
  variables { zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  expect_failures = [var.zones]
}

run "no_flow_logs" {
  command = plan
  module { source = "../vpc" }
  variables { flow_log_days = 0 }
  expect_failures = [var.flow_log_days]
}

run "endpoints_left_out" {
  command = plan
  module { source = "../vpc" }
  variables { interface_endpoints = ["sts"] }
  expect_failures = [var.interface_endpoints]
}
