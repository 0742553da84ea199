# What the database must be, whatever is asked for.
mock_provider "aws" {}

variables {
  name                = "sightline-prod"
  production          = true
  class               = "db.m7g.large"
  storage_gb          = 50
  most_storage_gb     = 200
  multi_az            = true
  backup_days         = 14
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-1", "subnet-2", "subnet-3"]
  clients_group_id    = "sg-nodes"
  key_arn             = "arn:aws:kms:eu-central-1:123456789012:key/database"
  logs_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/logs"
  monitoring_role_arn = "arn:aws:iam::123456789012:role/monitoring"
}

run "promises" {
  command = plan
  module { source = "../rds" }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible
    error_message = "The database is public."
  }
  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.key_arn && aws_db_instance.this.performance_insights_kms_key_id == var.key_arn
    error_message = "Not everything is encrypted with our key."
  }
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "It can be lost."
  }
  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "The master's password is known to somebody else than RDS."
  }
  assert {
    condition     = contains([for each in aws_db_parameter_group.this.parameter : "${each.name}=${each.value}"], "rds.force_ssl=1")
    error_message = "Connections without TLS are let in."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-nodes" && aws_vpc_security_group_ingress_rule.clients.cidr_ipv4 == null
    error_message = "Others than the nodes reach it."
  }
  assert {
    condition     = aws_db_instance.this.performance_insights_enabled && aws_db_instance.this.backup_retention_period == 14
    error_message = "Insights or point-in-time recovery are off."
  }
}

run "protected_unless_said_otherwise" {
  command = plan
  module { source = "../rds" }

  assert {
    condition     = aws_db_instance.this.deletion_protection
    error_message = "Protection is off by default."
  }
}

run "no_retention" {
  command = plan
  module { source = "../rds" }
  variables { backup_days = 0 }
  expect_failures = [var.backup_days]
}

run "unsupported_version" {
  command = plan
  module { source = "../rds" }
  variables { postgres_version = "12" }
  expect_failures = [var.postgres_version]
}

run "production_without_standby" {
  command = plan
  module { source = "../rds" }
  variables { multi_az = false }
  expect_failures = [aws_db_instance.this]
}

run "production_with_short_retention" {
  command = plan
  module { source = "../rds" }
  variables { backup_days = 7 }
  expect_failures = [aws_db_instance.this]
}

run "production_on_a_burstable_class" {
  command = plan
  module { source = "../rds" }
  variables { class = "db.t4g.medium" }
  expect_failures = [aws_db_instance.this]
}

run "storage_that_cannot_grow" {
  command = plan
  module { source = "../rds" }
  variables { most_storage_gb = 50 }
  expect_failures = [aws_db_instance.this]
}

run "subnets_of_one_zone" {
  command = plan
  module { source = "../rds" }
  variables { subnet_ids = ["subnet-1"] }
  expect_failures = [var.subnet_ids]
}

run "logs_for_ever" {
  command = plan
  module { source = "../rds" }
  variables { log_days = 0 }
  expect_failures = [var.log_days]
}
