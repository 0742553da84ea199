mock_provider "aws" {}

variables {
  bucket                   = "sightline-prod-backups-123456789012"
  account_id               = "123456789012"
  region                   = "eu-central-1"
  key_arn                  = "arn:aws:kms:eu-central-1:123456789012:key/backups"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
}

run "promises" {
  command = plan
  module { source = "../s3" }

  assert {
    condition     = aws_s3_bucket.backups.object_lock_enabled && aws_s3_bucket_object_lock_configuration.backups.rule[0].default_retention[0].mode == "COMPLIANCE" && aws_s3_bucket_object_lock_configuration.backups.rule[0].default_retention[0].days == 30
    error_message = "Backups can be deleted."
  }
  assert {
    condition     = aws_s3_bucket_versioning.backups.versioning_configuration[0].status == "Enabled"
    error_message = "There are no versions."
  }
  assert {
    condition     = !coalesce(aws_s3_bucket.backups.force_destroy, false)
    error_message = "A destroy would take the backups along."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.backups.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.key_arn
    error_message = "Backups are not encrypted with our key."
  }
  assert {
    condition = alltrue([for each in [aws_s3_bucket_public_access_block.backups, aws_s3_bucket_public_access_block.logs] : (
      each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets
    )])
    error_message = "A bucket may become public."
  }
  assert {
    condition     = length(setsubtract(["TlsOnly", "OurKeyOnly", "KmsOnly", "ThisAccountOnly"], [for each in jsondecode(aws_s3_bucket_policy.backups.policy).Statement : each.Sid if each.Effect == "Deny"])) == 0
    error_message = "The policy lets something through."
  }
  assert {
    condition     = alltrue([for each in jsondecode(aws_s3_bucket_policy.backups.policy).Statement : each.Effect == "Deny"])
    error_message = "A bucket's policy gives rights: roles' policies do."
  }
  assert {
    condition     = aws_s3_bucket_logging.backups.target_prefix == "${var.bucket}/"
    error_message = "Nobody notes who reads."
  }
  assert {
    condition     = length(aws_s3_bucket_replication_configuration.backups) == 0
    error_message = "It replicates though nobody asked."
  }
}

run "replicates_but_deletes_nothing" {
  command = apply
  module { source = "../s3" }
  variables {
    replica = { bucket_arn = "arn:aws:s3:::elsewhere", key_arn = "arn:aws:kms:eu-west-1:123456789012:key/replica", region = "eu-west-1" }
  }
  override_resource {
    target = aws_iam_role.replication
    values = { arn = "arn:aws:iam::123456789012:role/replication" }
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.backups[0].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "A deletion here would be one there."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.replication[0].policy, "Delete")
    error_message = "The role may delete in the replica."
  }
}

run "replica_in_the_same_region" {
  command = plan
  module { source = "../s3" }
  variables {
    replica = { bucket_arn = "arn:aws:s3:::elsewhere", key_arn = "arn:aws:kms:eu-central-1:123456789012:key/replica", region = "eu-central-1" }
  }
  expect_failures = [aws_s3_bucket.backups]
}

run "no_lock" {
  command = plan
  module { source = "../s3" }
  variables { lock_days = 0 }
  expect_failures = [var.lock_days]
}

run "no_old_versions" {
  command = plan
  module { source = "../s3" }
  variables { old_versions_days = 0 }
  expect_failures = [var.old_versions_days]
}

run "unknown_lock" {
  command = plan
  module { source = "../s3" }
  variables { lock_mode = "none" }
  expect_failures = [var.lock_mode]
}

run "access_logs_for_a_day" {
  command = plan
  module { source = "../s3" }
  variables { access_log_days = 1 }
  expect_failures = [var.access_log_days]
}
