locals {
  port = 5432
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets without a way out"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL: from the nodes alone"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from the nodes"
  referenced_security_group_id = var.clients_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-postgres${var.postgres_version}"
  family      = "postgres${var.postgres_version}"
  description = "TLS only; what takes long is logged"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_connections"
    value = "1"
  }

  parameter {
    name  = "log_disconnections"
    value = "1"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  # Statements that take longer, in milliseconds. Without their parameters: positions are nobody's business.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  # What a 2xx promises: each commit is on the disk.
  parameter {
    name  = "synchronous_commit"
    value = "on"
  }

  # Before another major version the new group must be there, and the old one still.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.postgres_version
  instance_class = var.class
  db_name        = var.database
  port           = local.port

  storage_type          = "gp3"
  allocated_storage     = var.storage_gb
  max_allocated_storage = var.most_storage_gb
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  # RDS makes the password, keeps it in Secrets Manager and changes it every seven days. Nobody of us
  # sees it, and neither does Terraform's state. Services have a role of their own.
  username                      = "postgres"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.key_arn

  multi_az               = var.multi_az
  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  iam_database_authentication_enabled = true

  backup_retention_period   = var.backup_days
  backup_window             = "00:30-01:30"
  delete_automated_backups  = false
  copy_tags_to_snapshot     = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-final"
  deletion_protection       = var.protected

  maintenance_window          = "sun:02:30-sun:03:30"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = var.major_upgrade
  apply_immediately           = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.key_arn
  performance_insights_retention_period = var.insights_days
  monitoring_interval                   = 60
  monitoring_role_arn                   = var.monitoring_role_arn
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  tags = { Name = var.name }

  lifecycle {
    precondition {
      condition     = !var.production || var.multi_az
      error_message = "multi_az is false in production: a 2xx promises that what was taken in survives a lost zone."
    }
    precondition {
      condition     = !var.production || var.backup_days >= 14
      error_message = "backup_days is ${var.backup_days} in production: at least 14, since what is broken is often found after a week."
    }
    precondition {
      condition     = !var.production || !startswith(var.class, "db.t")
      error_message = "class is ${var.class} in production: a t class slows down when its burst is used up; take an m or r class."
    }
    precondition {
      condition     = var.most_storage_gb >= var.storage_gb * 1.1
      error_message = "most_storage_gb is ${var.most_storage_gb}: RDS asks for a tenth more than storage_gb (${var.storage_gb}) at least."
    }
  }

  depends_on = [aws_cloudwatch_log_group.this]
}
