variable "bucket" {
  description = "Name of the bucket that is copied to."
  type        = string
}

variable "account_id" {
  description = "The AWS account, for policies."
  type        = string
}

variable "region" {
  description = "The second region."
  type        = string
}

variable "lock_days" {
  description = "So long nobody can change or delete a copy."
  type        = number
  default     = 30
}
