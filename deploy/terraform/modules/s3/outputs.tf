output "bucket" {
  description = "Name of the bucket for backups."
  # With its lock and its policy, so that nothing is written before.
  value = aws_s3_bucket.backups.id
  depends_on = [
    aws_s3_bucket_object_lock_configuration.backups,
    aws_s3_bucket_policy.backups,
    aws_s3_bucket_server_side_encryption_configuration.backups,
  ]
}

output "bucket_arn" {
  description = "The same as ARN."
  value       = "arn:aws:s3:::${aws_s3_bucket.backups.id}"
  depends_on  = [aws_s3_bucket_versioning.backups]
}

output "lock_days" {
  description = "So long nobody can change or delete a backup."
  value       = var.lock_days
}

output "lock_mode" {
  description = "governance or compliance."
  value       = var.lock_mode
}

output "logs_bucket" {
  description = "Where S3 writes who read or wrote what."
  value       = aws_s3_bucket.logs.id
}
