variable "name" {
  description = "Goes before the name of everything here, such as sightline-prod."
  type        = string
}

variable "account_id" {
  description = "The AWS account, for policies."
  type        = string
}

variable "region" {
  description = "Such as eu-central-1."
  type        = string
}

variable "namespace" {
  description = "Kubernetes namespace of the chart: only its ServiceAccount gets the role of backups."
  type        = string
  default     = "detection-system"
}

variable "backups_bucket" {
  description = "Name of the bucket for backups."
  type        = string
}

variable "backups_prefix" {
  description = "Folder in it."
  type        = string
}

variable "images" {
  description = "ECR repositories, below the environment's name."
  type        = set(string)
  default     = ["sightline-detection", "sightline-cop-gateway", "sightline-cli", "sightline-models"]

  validation {
    condition     = length(var.images) > 0
    error_message = "images is empty: nodes would have nowhere to take Sightline's images from."
  }
}

variable "untagged_image_days" {
  description = "Images that no tag names any more go after so many days."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_image_days >= 1
    error_message = "untagged_image_days is ${var.untagged_image_days}: a push that is under way needs at least a day."
  }
}

variable "key_deletion_days" {
  description = "How long a key that is to be deleted can still be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 14 && var.key_deletion_days <= 30
    error_message = "key_deletion_days is ${var.key_deletion_days}: 14 to 30. What a key encrypted is lost with it."
  }
}

variable "ci" {
  description = "Whose pipelines may push images: repository (OWNER/NAME; GitLab: with all groups) and branch; null: nobody's. issuer is the address of the tokens' issuer without https://, such as gitlab.com."
  type = object({
    issuer     = optional(string, "token.actions.githubusercontent.com")
    repository = string
    branch     = string
  })
  default = null

  validation {
    condition     = var.ci == null ? true : can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$", var.ci.repository))
    error_message = "ci.repository must be OWNER/NAME (GitLab: with all groups) without wildcards: anything wider would let strangers push images."
  }

  validation {
    condition     = var.ci == null ? true : can(regex("^[A-Za-z0-9._/-]+$", var.ci.branch))
    error_message = "ci.branch must be one branch without wildcards: whoever may push any branch would push images."
  }
}

variable "deployers" {
  description = "ARNs of roles that may become the deployer, such as those of IAM Identity Center."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.deployers : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", each))])
    error_message = "deployers has something that is no role: people get theirs from IAM Identity Center, and a user with keys for ever is not let in."
  }
}

variable "budget_usd" {
  description = "Dollars a month; told at 80 % spent, and when 100 % are forecast."
  type        = number

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd is ${var.budget_usd}: say how much may be spent in a month."
  }
}

variable "notify" {
  description = "E-mail addresses that budget and alarms are told to."
  type        = set(string)

  validation {
    condition     = length(var.notify) > 0 && alltrue([for each in var.notify : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", each))])
    error_message = "notify must have at least one e-mail address: an alarm that nobody hears is none."
  }
}

variable "database_identifier" {
  description = "The database that alarms look at."
  type        = string
}

variable "database_storage_gb" {
  description = "Its storage: the alarm comes at a tenth of it."
  type        = number
}

variable "nat_gateway_ids" {
  description = "NAT gateways that alarms look at, by zone."
  type        = map(string)
  default     = {}
}
