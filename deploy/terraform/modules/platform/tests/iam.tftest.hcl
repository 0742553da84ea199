mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/boundary" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:notices" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { repository_url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sightline-prod/sightline-cli" }
  }
}

variables {
  name                = "sightline-prod"
  account_id          = "123456789012"
  region              = "eu-central-1"
  backups_bucket      = "sightline-prod-backups-123456789012"
  backups_prefix      = "gateway"
  ci                  = { repository = "example/sightline", branch = "main" }
  deployers           = ["arn:aws:iam::123456789012:role/platform"]
  budget_usd          = 3000
  notify              = ["platform@example.org"]
  database_identifier = "sightline-prod"
  database_storage_gb = 200
}

run "promises" {
  command = apply
  module { source = "../iam" }

  assert {
    condition     = alltrue([for each in aws_kms_key.this : each.enable_key_rotation && each.deletion_window_in_days >= 14])
    error_message = "A key does not rotate, or goes at once."
  }
  assert {
    condition     = alltrue([for each in aws_iam_role.this : each.permissions_boundary != null && each.permissions_boundary != ""])
    error_message = "A role has no boundary."
  }
  assert {
    condition = alltrue(flatten([for each in aws_iam_role_policy.this : [for said in jsondecode(each.policy).Statement : (
      alltrue([for action in flatten([said.Action]) : !strcontains(action, "*")])
    )]]))
    error_message = "A role of ours has actions with a wildcard."
  }
  assert {
    condition = alltrue(flatten([for each in aws_iam_role_policy.this : [for said in jsondecode(each.policy).Statement : (
      said.Resource != "*" || said.Action == ["ecr:GetAuthorizationToken"]
    )]]))
    error_message = "A role of ours has rights on everything."
  }
  assert {
    condition = alltrue(flatten([for each in aws_kms_key.this : [for said in jsondecode(each.policy).Statement : (
      alltrue([for action in said.Action : !strcontains(action, "*")])
      && !strcontains(jsonencode(said.Principal), "\"*\"")
    )]]))
    error_message = "A key's policy has a wildcard."
  }
  assert {
    # The account's rights on a key are those that its policy lists: https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html
    condition = alltrue([for each in aws_kms_key.this : length(setsubtract(
      ["kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription"],
      flatten([for said in jsondecode(each.policy).Statement : said.Action]),
    )) == 0])
    error_message = "Terraform could not make, change or end a key with its alias."
  }
  assert {
    condition = alltrue([for purpose, each in aws_kms_key.this : alltrue([for said in jsondecode(each.policy).Statement : (
      said.Action != ["kms:CreateGrant"] || can(said.Condition) == (purpose != "cluster")
    )])])
    error_message = "Grants are not for AWS' services alone; or EKS, which does not say that it is one, could not make its."
  }
  assert {
    condition = length(setsubtract(["eks/*", "amazon-k8s-cni", "amazon-k8s-cni-init", "amazon/aws-network-policy-agent"], flatten([
      for said in jsondecode(aws_iam_role_policy.this["nodes"].policy).Statement : [for each in said.Resource : split(":repository/", each)[1]] if said.Sid == "PullAddOns"
    ]))) == 0
    error_message = "Nodes could not take an add-on's image: without the network plugin none is ever ready."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["ci"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:example/sightline:ref:refs/heads/main"
    error_message = "CI is not bound to one branch of one repository."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["ci"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    error_message = "Tokens for others are taken."
  }
  assert {
    condition     = alltrue([for each in aws_ecr_repository.this : each.image_tag_mutability == "IMMUTABLE" && each.image_scanning_configuration[0].scan_on_push && each.encryption_configuration[0].encryption_type == "KMS"])
    error_message = "Tags of images can be moved, or images are not scanned."
  }
  assert {
    condition = !anytrue([for said in jsondecode(aws_iam_role_policy.this["backups"].policy).Statement : (
      contains(said.Action, "s3:BypassGovernanceRetention") || contains(said.Action, "s3:PutBucketPolicy")
    )])
    error_message = "The backup job may undo locks."
  }
  assert {
    condition     = contains([for said in jsondecode(aws_iam_policy.boundary.policy).Statement : said.Sid if said.Effect == "Deny"], "NoMoreRightsThanGiven")
    error_message = "A role could give itself rights."
  }
  assert {
    condition     = length(aws_budgets_budget.month.notification) == 2
    error_message = "Nobody hears of costs."
  }
  assert {
    condition     = alltrue([for each in aws_cloudwatch_metric_alarm.this : length(each.alarm_actions) == 1])
    error_message = "An alarm tells nobody."
  }
}

run "nobody_pushes_where_nobody_should" {
  command = apply
  module { source = "../iam" }
  variables {
    ci        = null
    deployers = []
  }

  assert {
    condition     = !contains(keys(aws_iam_role.this), "ci") && !contains(keys(aws_iam_role.this), "deployer") && length(aws_iam_openid_connect_provider.ci) == 0
    error_message = "There are roles that nobody asked for."
  }
}

run "pipelines_of_gitlab" {
  command = apply
  module { source = "../iam" }
  variables { ci = { issuer = "gitlab.example.org", repository = "group/team/sightline", branch = "main" } }

  assert {
    condition     = jsondecode(aws_iam_role.this["ci"].assume_role_policy).Statement[0].Condition.StringEquals["gitlab.example.org:sub"] == "project_path:group/team/sightline:ref_type:branch:ref:main"
    error_message = "CI is not bound to one branch of one project."
  }
}

run "any_repository" {
  command = plan
  module { source = "../iam" }
  variables { ci = { repository = "example/*", branch = "main" } }
  expect_failures = [var.ci]
}

run "any_branch" {
  command = plan
  module { source = "../iam" }
  variables { ci = { repository = "example/sightline", branch = "*" } }
  expect_failures = [var.ci]
}

run "a_user_as_deployer" {
  command = plan
  module { source = "../iam" }
  variables { deployers = ["arn:aws:iam::123456789012:user/somebody"] }
  expect_failures = [var.deployers]
}

run "keys_that_go_at_once" {
  command = plan
  module { source = "../iam" }
  variables { key_deletion_days = 7 }
  expect_failures = [var.key_deletion_days]
}

run "nobody_to_tell" {
  command = plan
  module { source = "../iam" }
  variables { notify = [] }
  expect_failures = [var.notify]
}

run "no_budget" {
  command = plan
  module { source = "../iam" }
  variables { budget_usd = 0 }
  expect_failures = [var.budget_usd]
}
