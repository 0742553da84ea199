output "key_arns" {
  description = "KMS keys: backups, cluster, database, images, logs, notices."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}

output "role_arns" {
  description = "Roles: cluster, nodes, monitoring, network, volumes, backups; deployer and ci where they are wanted."
  # With their policies, so that whoever uses a role can rely on its rights.
  value = { for name, role in aws_iam_role.this : name => role.arn }
  depends_on = [
    aws_iam_role_policy.this,
    aws_iam_role_policy_attachment.aws,
  ]
}

output "boundary_arn" {
  description = "The permissions boundary of every role."
  value       = aws_iam_policy.boundary.arn
}

output "registry" {
  description = "What goes before each image's name."
  value       = "${split("/", values(aws_ecr_repository.this)[0].repository_url)[0]}/${var.name}"
}

output "notices_topic_arn" {
  description = "Where further alarms may go."
  value       = aws_sns_topic.notices.arn
}
