variable "bucket" {
  description = "Name of the bucket for backups; in the whole world nobody else may have it. Its access logs go to NAME-logs."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,56}[a-z0-9]$", var.bucket))
    error_message = "bucket is ${var.bucket}: use 3 to 58 of a-z, 0-9 and - (with -logs it must fit into 63)."
  }
}

variable "account_id" {
  description = "The AWS account, for policies."
  type        = string
}

variable "key_arn" {
  description = "KMS key that every object is encrypted with."
  type        = string
}

variable "lock_days" {
  description = "So long nobody can change or delete a backup."
  type        = number
  default     = 30

  validation {
    condition     = var.lock_days >= 1 && var.lock_days <= 3650 && floor(var.lock_days) == var.lock_days
    error_message = "lock_days is ${var.lock_days}: 1 to 3650 whole days. With 0 whoever has stolen a key deletes the backups, too."
  }
}

variable "lock_mode" {
  description = "governance (who has the right may end a lock early) or compliance (nobody may, not even the account's root)."
  type        = string
  default     = "compliance"

  validation {
    condition     = contains(["compliance", "governance"], var.lock_mode)
    error_message = "lock_mode is ${var.lock_mode}: expected compliance or governance."
  }
}

variable "cold_days" {
  description = "Backups that are so old go to cheaper storage."
  type        = number
  default     = 30

  validation {
    condition     = var.cold_days >= 30
    error_message = "cold_days is ${var.cold_days}: S3 takes objects into STANDARD_IA after 30 days at the earliest."
  }
}

variable "old_versions_days" {
  description = "What was overwritten or deleted can be had back for so long."
  type        = number
  default     = 30

  validation {
    condition     = var.old_versions_days >= 1
    error_message = "old_versions_days is ${var.old_versions_days}: a retention of zero would make every deletion final."
  }
}

variable "access_log_days" {
  description = "How long is kept who read or wrote what."
  type        = number
  default     = 365

  validation {
    condition     = var.access_log_days >= 30
    error_message = "access_log_days is ${var.access_log_days}: at least 30, or a theft is noticed when nobody can tell any more what was read."
  }
}

variable "replica" {
  description = "A bucket elsewhere that gets every backup as well, with its KMS key and region; null: none."
  type = object({
    bucket_arn = string
    key_arn    = string
    region     = string
  })
  default = null
}

variable "region" {
  description = "The bucket's own region."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role that replicates; needed with replica."
  type        = string
  default     = null
}
