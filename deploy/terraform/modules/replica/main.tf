module "key_rights" {
  source = "../key-rights"
}

# The same bucket once more, in another region and with a key of its own there.
resource "aws_kms_key" "this" {
  description             = "${var.bucket}: backups, replicated"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Administration"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
      Action    = concat(module.key_rights.administration, ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"])
      Resource  = "*"
    }]
  })
}

module "s3" {
  source = "../s3"

  bucket     = var.bucket
  account_id = var.account_id
  region     = var.region
  key_arn    = aws_kms_key.this.arn
  lock_days  = var.lock_days
}
