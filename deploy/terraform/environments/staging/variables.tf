variable "account_id" {
  description = "The AWS account of this environment."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is ${var.account_id}: an AWS account has 12 digits."
  }
}

variable "region" {
  description = "Where everything is."
  type        = string
  default     = "eu-central-1"
}

variable "zones" {
  description = "Availability zones; null takes a, b and c of the region."
  type        = list(string)
  default     = null
}

variable "sizes" {
  description = "Instead of what sizes.csv says, by the same names; for trying something out."
  type        = map(string)
  default     = {}
}

variable "other_networks" {
  description = "Networks of offices and data centres that this one must not overlap."
  type        = map(string)
  default     = {}
}

variable "api_cidrs" {
  description = "From where the cluster's API may be reached over the internet; empty: from inside the network alone."
  type        = set(string)
  default     = []
}

variable "admins" {
  description = "ARNs of roles that may do everything in the cluster."
  type        = set(string)
  default     = []
}

variable "deployers" {
  description = "ARNs of roles that may become the deployer."
  type        = set(string)
  default     = []
}

variable "ci" {
  description = "Whose pipelines may push images and release: repository (OWNER/NAME) and branch."
  type = object({
    issuer     = optional(string, "token.actions.githubusercontent.com")
    repository = string
    branch     = string
  })
  default = null
}

variable "notify" {
  description = "E-mail addresses that budget and alarms are told to."
  type        = set(string)
}

variable "major_upgrade" {
  description = "Whether PostgreSQL may go to another major version; for the one apply that does it."
  type        = bool
  default     = false
}

variable "emulated" {
  description = "For tests against an emulator; never in an account."
  type        = bool
  default     = false
}
