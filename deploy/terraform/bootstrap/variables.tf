variable "environment" {
  description = "Whose state it is: dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is ${var.environment}: expected dev, staging or prod."
  }
}

variable "account_id" {
  description = "The AWS account of this environment."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is ${var.account_id}: an AWS account has 12 digits."
  }
}

variable "region" {
  description = "Where the state is."
  type        = string
  default     = "eu-central-1"
}

variable "old_states_days" {
  description = "States before the newest can be had back for so long."
  type        = number
  default     = 365

  validation {
    condition     = var.old_states_days >= 30
    error_message = "old_states_days is ${var.old_states_days}: at least 30, since a state that was broken is often noticed late."
  }
}

variable "emulated" {
  description = "For tests against an emulator, which the account's own block cannot be asked of. Never in an account."
  type        = bool
  default     = false
}
