output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Where nodes and the control plane's interfaces are."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Where the database is."
  value       = [for zone in var.zones : aws_subnet.database[zone].id]
}

output "public_cidrs" {
  description = "From where load balancers speak to pods."
  value       = [for zone in var.zones : local.public[zone]]
}

output "private_cidrs" {
  description = "Of nodes and pods."
  value       = [for zone in var.zones : local.private[zone]]
}

output "database_cidrs" {
  description = "Where network policies must let the gateway out to."
  value       = [for zone in var.zones : local.database[zone]]
}

output "nat_gateway_ids" {
  description = "For alarms, by zone."
  value       = { for zone, each in aws_nat_gateway.this : zone => each.id }
}

output "nat_addresses" {
  description = "What TAK servers and others outside see as our address; for their firewalls."
  value       = [for zone in local.nats : aws_eip.nat[zone].public_ip]
}
