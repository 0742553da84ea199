resource "aws_iam_role" "replication" {
  count = var.replica == null ? 0 : 1

  name                 = "${var.bucket}-replication"
  description          = "S3 carries backups into the other region"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "replication" {
  count = var.replica == null ? 0 : 1

  name = "replicate"
  role = aws_iam_role.replication[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Bucket"
      Effect   = "Allow"
      Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
      Resource = "arn:aws:s3:::${var.bucket}"
      }, {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
      Resource = "arn:aws:s3:::${var.bucket}/*"
      }, {
      # Deletions are not carried over: no ReplicateDelete.
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["s3:ReplicateObject", "s3:ReplicateTags"]
      Resource = "${var.replica.bucket_arn}/*"
      }, {
      Sid       = "Decrypt"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = var.key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      }, {
      Sid       = "Encrypt"
      Effect    = "Allow"
      Action    = ["kms:Encrypt", "kms:GenerateDataKey"]
      Resource  = var.replica.key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.replica.region}.amazonaws.com" } }
    }]
  })
}

resource "aws_s3_bucket_replication_configuration" "backups" {
  count = var.replica == null ? 0 : 1

  bucket = aws_s3_bucket.backups.id
  role   = aws_iam_role.replication[0].arn

  rule {
    id     = "elsewhere"
    status = "Enabled"

    filter {}

    # Whoever deletes here does not delete there.
    delete_marker_replication {
      status = "Disabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = var.replica.bucket_arn
      storage_class = "STANDARD_IA"

      encryption_configuration {
        replica_kms_key_id = var.replica.key_arn
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.backups, aws_iam_role_policy.replication]
}
