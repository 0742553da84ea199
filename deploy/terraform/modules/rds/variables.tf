variable "name" {
  description = "Name of the database server, such as sightline-prod."
  type        = string
}

variable "database" {
  description = "Name of the database that is made in it."
  type        = string
  default     = "sightline"
}

variable "postgres_version" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "18"

  validation {
    condition     = contains(["17", "18"], var.postgres_version)
    error_message = "postgres_version is ${var.postgres_version}: 17 and 18 are tested with Sightline and supported by RDS. Give the major version alone; minor ones come by themselves."
  }
}

variable "major_upgrade" {
  description = "Whether another major version may be gone to; for the one apply that does it."
  type        = bool
  default     = false
}

variable "class" {
  description = "Size of each instance, such as db.m7g.large."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.class))
    error_message = "class is ${var.class}: expected one such as db.m7g.large."
  }
}

variable "storage_gb" {
  description = "Storage in the beginning."
  type        = number

  validation {
    condition     = var.storage_gb >= 20
    error_message = "storage_gb is ${var.storage_gb}: gp3 begins at 20."
  }
}

variable "most_storage_gb" {
  description = "To where it grows by itself."
  type        = number
}

variable "production" {
  description = "Whether this is production: then it must be in several zones and protected."
  type        = bool
}

variable "multi_az" {
  description = "A standby in another zone, which takes over within a minute or two and has every commit."
  type        = bool
}

variable "backup_days" {
  description = "To any second of so many days it can be brought back (PITR)."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days is ${var.backup_days}: RDS keeps 1 to 35 days. With 0 it could not be brought back to any point in time."
  }
}

variable "protected" {
  description = "Nobody can delete it, not even Terraform, until this is false and applied."
  type        = bool
  default     = true
}

variable "insights_days" {
  description = "How long Performance Insights keeps which statements waited for what: 7, or months of 31 days to 731."
  type        = number
  default     = 7

  validation {
    condition     = var.insights_days == 7 || var.insights_days == 731 || (var.insights_days % 31 == 0 && var.insights_days >= 31 && var.insights_days <= 713)
    error_message = "insights_days is ${var.insights_days}: RDS takes 7, a multiple of 31 to 713, or 731."
  }
}

variable "log_days" {
  description = "How long its log is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "log_days is ${var.log_days}: CloudWatch keeps logs for 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days; forever and not at all are refused."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "The database subnets, in as many zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids has ${length(var.subnet_ids)}: RDS asks for subnets in two zones at least."
  }
}

variable "clients_group_id" {
  description = "Security group of the nodes: nobody else reaches the database."
  type        = string
}

variable "key_arn" {
  description = "KMS key of storage, backups, Performance Insights and the master's password."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of its log."
  type        = string
}

variable "monitoring_role_arn" {
  description = "Role that RDS writes the operating system's numbers with."
  type        = string
}
