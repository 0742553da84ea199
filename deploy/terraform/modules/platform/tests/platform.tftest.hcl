# An environment as a whole, and what prod may not be.
mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/boundary" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/some" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:notices" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:some" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { repository_url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sightline/sightline-cli" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

variables {
  environment = "prod"
  account_id  = "123456789012"
  region      = "eu-central-1"
  notify      = ["platform@example.org"]
  admins      = ["arn:aws:iam::123456789012:role/platform"]
  deployers   = ["arn:aws:iam::123456789012:role/platform"]
  replica     = { bucket_arn = "arn:aws:s3:::elsewhere", key_arn = "arn:aws:kms:eu-west-1:123456789012:key/replica", region = "eu-west-1" }
}

run "prod" {
  command = apply

  assert {
    condition     = output.sightline.backups.lock_days >= 30 && output.sightline.backups.lock_mode == "compliance"
    error_message = "Prod's backups can be deleted too early."
  }
  assert {
    condition     = length(output.sightline.network.outside_addresses) == 3
    error_message = "Prod has not a NAT gateway for each zone."
  }
  assert {
    condition     = length(output.add_ons) == 6
    error_message = "Add-ons are missing."
  }
}

run "dev" {
  command = apply
  variables {
    environment = "dev"
    replica     = null
  }

  assert {
    condition     = length(output.sightline.network.outside_addresses) == 1 && output.sightline.cluster.gpu == null
    error_message = "Dev is larger than its column says."
  }
}

run "with_gpu" {
  command = plan
  variables {
    environment = "staging"
    replica     = null
    sizes       = { gpu_type = "g6.xlarge", gpu_max = "2" }
  }

  assert {
    condition     = output.sightline.cluster.gpu.tolerations[0].key == "nvidia.com/gpu"
    error_message = "Detection is not told of the GPU nodes."
  }
}

run "prod_with_one_nat_gateway" {
  command = plan
  variables { sizes = { nat = "one" } }
  expect_failures = [terraform_data.checked]
}

run "prod_unprotected" {
  command = plan
  variables { sizes = { protected = "false" } }
  expect_failures = [terraform_data.checked]
}

run "prod_without_replica" {
  command = plan
  variables { replica = null }
  expect_failures = [terraform_data.checked]
}

run "a_size_that_is_none" {
  command = plan
  variables { sizes = { node_maximum = "8" } }
  expect_failures = [var.sizes]
}

run "an_environment_that_is_none" {
  command = plan
  variables { environment = "qa" }
  expect_failures = [var.environment]
}
