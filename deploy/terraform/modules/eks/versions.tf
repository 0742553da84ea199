# The cluster: API from inside and from named networks alone, access entries instead of a ConfigMap, Secrets
# encrypted with a key of ours, all logs of the control plane, managed node groups over the zones (IMDSv2
# alone), pinned add-ons, Pod Identity.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
