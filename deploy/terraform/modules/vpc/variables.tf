variable "name" {
  description = "Goes before the name of everything here, such as sightline-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name is ${var.name}: use 3 to 40 of a-z, 0-9 and -, beginning with a letter."
  }
}

variable "account_id" {
  description = "The AWS account, for policies."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is ${var.account_id}: an AWS account has 12 digits."
  }
}

variable "region" {
  description = "Such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is ${var.region}: expected one such as eu-central-1."
  }
}

variable "zones" {
  description = "Availability zones, such as eu-central-1a; each gets a public, a private and a database subnet."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones has ${length(var.zones)}: give two or three different ones; a cluster and a database cannot be made in one."
  }

  validation {
    condition     = alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "zones are ${join(", ", var.zones)}: each must be of the region ${var.region}."
  }
}

variable "cidr" {
  description = "Addresses of the whole network; a /16 has room for the subnets as they are cut by default."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("^(10|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168)\\.", var.cidr))
    error_message = "cidr is ${var.cidr}: expected private IPv4 addresses, such as 10.30.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr is ${var.cidr}: AWS takes /16 at most, and less than a /20 has no room for pods."
  }
}

variable "subnets" {
  description = "Addresses of the subnets, one for each zone; null cuts them from cidr."
  type = object({
    public   = list(string)
    private  = list(string)
    database = list(string)
  })
  default = null

  validation {
    condition = var.subnets == null ? true : alltrue([
      for each in concat(var.subnets.public, var.subnets.private, var.subnets.database) : can(cidrnetmask(each))
    ])
    error_message = "subnets has something that is no IPv4 network: write each as 10.30.0.0/22."
  }

  validation {
    condition     = var.subnets == null ? true : alltrue([for list in values(var.subnets) : length(list) == length(var.zones)])
    error_message = "subnets must have one of each kind for each of the ${length(var.zones)} zones."
  }
}

variable "other_networks" {
  description = "Networks that this one must not overlap, since it may be joined to them: other environments, offices, Kubernetes' Services."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for each in values(var.other_networks) : can(cidrnetmask(each))])
    error_message = "other_networks has something that is no IPv4 network: write each as name = \"10.20.0.0/16\"."
  }
}

variable "nat" {
  description = "NAT gateways: one (a lost zone takes the way out of all along) or per_zone."
  type        = string
  default     = "per_zone"

  validation {
    condition     = contains(["one", "per_zone"], var.nat)
    error_message = "nat is ${var.nat}: expected one or per_zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached without the NAT gateways. Each costs money for each zone."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "sts", "logs", "eks-auth"]

  validation {
    condition     = alltrue([for each in ["ecr.api", "ecr.dkr", "sts", "logs"] : contains(var.interface_endpoints, each)])
    error_message = "interface_endpoints lacks one of ecr.api, ecr.dkr, sts and logs: nodes need all four when a NAT gateway is lost."
  }
}

variable "endpoint_zones" {
  description = "In how many zones the endpoints have an address."
  type        = number
  default     = 3

  validation {
    condition     = var.endpoint_zones >= 1 && floor(var.endpoint_zones) == var.endpoint_zones
    error_message = "endpoint_zones is ${var.endpoint_zones}: at least one zone needs them."
  }
}

variable "bucket_prefix" {
  description = "Buckets whose name begins so may be reached through the S3 endpoint."
  type        = string
}

variable "flow_log_days" {
  description = "How long is kept who talked to whom."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.flow_log_days)
    error_message = "flow_log_days is ${var.flow_log_days}: CloudWatch keeps logs for 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days; forever and not at all are refused."
  }
}

variable "logs_key_arn" {
  description = "KMS key of the flow logs."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Boundary of the role that writes flow logs."
  type        = string
}
