output "replica" {
  description = "What the module s3 takes as replica."
  value       = { bucket_arn = module.s3.bucket_arn, key_arn = aws_kms_key.this.arn, region = var.region }
}
