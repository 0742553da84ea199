resource "aws_s3_bucket" "backups" {
  # checkov:skip=CKV2_AWS_62: nobody waits for events; the gateway's own alerts tell of missing and unproven backups
  bucket = var.bucket
  # Locks can be given to a bucket only when it is made. A bucket that holds something cannot be
  # destroyed: there is no force_destroy here, on purpose.
  object_lock_enabled = true

  lifecycle {
    precondition {
      condition     = var.replica == null ? true : var.permissions_boundary_arn != null
      error_message = "permissions_boundary_arn is missing: the role that replicates needs it."
    }
    precondition {
      condition     = var.replica == null ? true : var.replica.region != var.region
      error_message = "replica.region is ${var.region}, where the bucket itself is: a replica there is lost with it."
    }
  }
}

resource "aws_s3_bucket_versioning" "backups" {
  bucket = aws_s3_bucket.backups.id

  versioning_configuration {
    status = "Enabled"
  }
}

# For objects that come without a lock of their own, such as by a hand.
resource "aws_s3_bucket_object_lock_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    default_retention {
      mode = upper(var.lock_mode)
      days = var.lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.backups]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket = aws_s3_bucket.backups.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "backups" {
  bucket = aws_s3_bucket.backups.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::${var.bucket}", "arn:aws:s3:::${var.bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }, {
      Sid       = "Tls12AtLeast"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::${var.bucket}", "arn:aws:s3:::${var.bucket}/*"]
      Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      }, {
      # Who says nothing gets the bucket's default, which is our key; who says something else is refused.
      Sid       = "OurKeyOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${var.bucket}/*"
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.key_arn }
      }
      }, {
      Sid       = "KmsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${var.bucket}/*"
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
      }
      }, {
      Sid       = "ThisAccountOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::${var.bucket}", "arn:aws:s3:::${var.bucket}/*"]
      Condition = {
        StringNotEquals = { "aws:PrincipalAccount" = var.account_id }
        Bool            = { "aws:PrincipalIsAWSService" = "false" }
      }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.backups]
}

# What `sightline backups prune` deletes is kept as an old version for a while; what it keeps, stays.
resource "aws_s3_bucket_lifecycle_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id

  rule {
    id     = "colder"
    status = "Enabled"

    filter {}

    transition {
      days          = var.cold_days
      storage_class = "STANDARD_IA"
    }
  }

  rule {
    id     = "rubbish"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_versions_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.backups]
}

resource "aws_s3_bucket_logging" "backups" {
  bucket = aws_s3_bucket.backups.id

  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "${var.bucket}/"

  # S3 tries to write when it is turned on.
  depends_on = [aws_s3_bucket_policy.logs]
}
