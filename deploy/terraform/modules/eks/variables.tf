variable "name" {
  description = "Name of the cluster, such as sightline-prod."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.36"

  validation {
    condition     = contains(["1.35", "1.36"], var.kubernetes_version)
    error_message = "kubernetes_version is ${var.kubernetes_version}: EKS supports 1.35 and 1.36 (1.34 ends on 2 December 2026, later ones are untested), and add-ons are pinned for these two."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, one in each zone that has nodes."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids has ${length(var.subnet_ids)}: EKS asks for subnets in two zones at least."
  }
}

variable "production" {
  description = "Whether this is production: then nodes must be in three zones."
  type        = bool
}

variable "public_cidrs" {
  description = "From where the API server may be reached over the internet; empty: from inside the network alone."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.public_cidrs : can(cidrnetmask(each))])
    error_message = "public_cidrs has something that is no IPv4 network: write each as 198.51.100.0/24."
  }

  validation {
    condition     = alltrue([for each in var.public_cidrs : try(tonumber(split("/", each)[1]) >= 16, true)])
    error_message = "public_cidrs is ${join(", ", var.public_cidrs)}: the API server is not opened to the world or to half of it; /16 is the widest."
  }
}

variable "service_cidr" {
  description = "Addresses of Kubernetes' Services."
  type        = string
  default     = "172.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.service_cidr))
    error_message = "service_cidr is ${var.service_cidr}: expected one such as 172.20.0.0/16."
  }
}

variable "node_groups" {
  description = "Groups of nodes over all zones, by name. desired counts only in the beginning: an autoscaler's number is left alone."
  type = map(object({
    instance_types = list(string)
    min            = number
    desired        = number
    max            = number
    disk_gb        = optional(number, 50)
    spot           = optional(bool, false)
    gpu            = optional(bool, false)
    labels         = optional(map(string), {})
  }))

  validation {
    condition     = alltrue([for each in values(var.node_groups) : each.min <= each.desired && each.desired <= each.max && each.max >= 1])
    error_message = "node_groups: of each group min <= desired <= max must hold, with max at least 1."
  }

  validation {
    condition     = anytrue([for each in values(var.node_groups) : !each.gpu && each.min >= 1])
    error_message = "node_groups has none without GPU that keeps a node: DNS and the gateway would have nowhere to run."
  }

  validation {
    condition     = alltrue([for each in values(var.node_groups) : length(each.instance_types) > 0 && each.disk_gb >= 20])
    error_message = "node_groups: each group needs an instance type, and a disk of 20 GB at least for images."
  }
}

variable "admins" {
  description = "ARNs of roles that may do everything in the cluster."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.admins : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", each))])
    error_message = "admins has something that is no role: nobody gets in with a user's keys."
  }
}

variable "deployer" {
  description = "Role that is in the Kubernetes group of deployers, to which the chart gives its rights; null: none."
  type        = object({ role_arn = string })
  default     = null
}

variable "deployers_group" {
  description = "That group's name."
  type        = string
  default     = "sightline-deployers"
}

variable "cluster_role_arn" {
  description = "Role of the control plane."
  type        = string
}

variable "node_role_arn" {
  description = "Role of the nodes."
  type        = string
}

variable "pod_roles" {
  description = "Roles that pods get by their ServiceAccount (Pod Identity): role ARN by NAMESPACE/SERVICEACCOUNT."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for each in keys(var.pod_roles) : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", each))])
    error_message = "pod_roles: write each key as NAMESPACE/SERVICEACCOUNT."
  }
}

variable "network_role_arn" {
  description = "Role of the network plugin's pods."
  type        = string
}

variable "volumes_role_arn" {
  description = "Role of the EBS driver's pods."
  type        = string
}

variable "secrets_key_arn" {
  description = "KMS key that Kubernetes' Secrets are encrypted with before they are stored."
  type        = string
}

variable "logs_key_arn" {
  description = "KMS key of the control plane's log."
  type        = string
}

variable "log_days" {
  description = "How long the control plane's log is kept, which says who did what."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "log_days is ${var.log_days}: CloudWatch keeps logs for 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days; forever and not at all are refused."
  }
}

variable "tags" {
  description = "For instances and volumes, which do not get the provider's."
  type        = map(string)
  default     = {}
}

variable "emulated" {
  description = "For tests against an emulator that has no add-ons, access entries and Pod Identity. Never in an account."
  type        = bool
  default     = false
}
