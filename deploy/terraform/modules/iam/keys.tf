# A key for each purpose, so that who reads logs does not thereby read backups.
locals {
  purposes = {
    backups  = { says = "backups", services = {} }
    cluster  = { says = "Kubernetes' secrets", services = {} }
    database = { says = "the database and its master secret", services = {} }
    images   = { says = "images", services = {} }
    logs = {
      says = "log groups",
      services = {
        "logs.${var.region}.amazonaws.com" = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${var.account_id}:*" } }
      }
    }
    notices = {
      says = "alarms and budget",
      services = {
        "cloudwatch.amazonaws.com" = { StringEquals = { "aws:SourceAccount" = var.account_id } }
        "budgets.amazonaws.com"    = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      }
    }
  }
  root = "arn:aws:iam::${var.account_id}:root"
}

module "key_rights" {
  source = "../key-rights"
}

resource "aws_kms_key" "this" {
  for_each = local.purposes

  description             = "${var.name}: ${each.value.says}"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days

  # In a key's policy, Resource "*" is this key alone. Who of this account may do any of it, is said by
  # their own policies.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = concat(module.key_rights.administration, ["kms:ListGrants", "kms:RetireGrant", "kms:RevokeGrant"])
        Resource  = "*"
        }, {
        Sid       = "Use"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        },
        merge({
          Sid       = "GrantsForServices"
          Effect    = "Allow"
          Principal = { AWS = local.root }
          Action    = ["kms:CreateGrant"]
          Resource  = "*"
          # EKS makes its grant in the name of whoever makes the cluster, and not as a service for its resource.
        }, each.key == "cluster" ? {} : { Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } } }),
      ],
      [for service, condition in each.value.services : {
        Sid       = replace(title(split(".", service)[0]), "/[^A-Za-z]/", "")
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Condition = condition
      }],
    )
  })

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_kms_alias" "this" {
  for_each = local.purposes

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
