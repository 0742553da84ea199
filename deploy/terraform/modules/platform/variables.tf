variable "environment" {
  description = "dev, staging or prod: a column of sizes.csv."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is ${var.environment}: sizes.csv has dev, staging and prod."
  }
}

variable "account_id" {
  description = "The AWS account, one for each environment."
  type        = string
}

variable "region" {
  description = "Such as eu-central-1."
  type        = string
}

variable "zones" {
  description = "Availability zones; null takes a, b and c of the region."
  type        = list(string)
  default     = null
}

variable "sizes" {
  description = "Instead of what sizes.csv says, by the same names."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.sizes) : contains([for row in csvdecode(file("${path.module}/../../sizes.csv")) : row.setting], name)])
    error_message = "sizes has a name that sizes.csv does not: ${join(", ", keys(var.sizes))}."
  }
}

variable "other_networks" {
  description = "Networks that this one must not overlap, besides those of the other environments: offices, data centres."
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

variable "namespace" {
  description = "Where the chart is to be installed."
  type        = string
  default     = "detection-system"
}

variable "replica" {
  description = "Bucket of the second region, its KMS key and region."
  type = object({
    bucket_arn = string
    key_arn    = string
    region     = string
  })
  default = null
}

variable "major_upgrade" {
  description = "Whether PostgreSQL may go to another major version; for the one apply that does it."
  type        = bool
  default     = false
}

variable "emulated" {
  description = "For tests against an emulator that has no add-ons, access entries and Pod Identity. Never in an account."
  type        = bool
  default     = false
}
