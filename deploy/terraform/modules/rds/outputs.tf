output "host" {
  description = "Name of the server, for database-url."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Its port."
  value       = local.port
}

output "database" {
  description = "Name of the database."
  value       = var.database
}

output "master_secret_arn" {
  description = "Where RDS keeps the master's password, for making the services' own role once."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "identifier" {
  description = "RDS' name for it."
  value       = aws_db_instance.this.identifier
}
