locals {
  cut = cidrsubnets(var.cidr, 6, 6, 6, 8, 8, 8, 3, 3, 3)
  subnets = var.subnets != null ? var.subnets : {
    public   = slice(local.cut, 0, length(var.zones))
    database = slice(local.cut, 3, 3 + length(var.zones))
    private  = slice(local.cut, 6, 6 + length(var.zones))
  }

  # Networks as first and last address, to compare them: Terraform has no function for it.
  networks = merge(
    { for name, each in var.other_networks : "other_networks.${name} ${each}" => each },
    merge([for kind, list in local.subnets : { for i, each in list : "${kind} subnet ${each} of zone ${i + 1}" => each }]...),
  )
  ranges = { for name, each in merge(local.networks, { vpc = var.cidr }) : name => {
    first = sum([for i, part in split(".", cidrhost(each, 0)) : tonumber(part) * pow(256, 3 - i)])
    size  = pow(2, 32 - tonumber(split("/", each)[1]))
  } }
  names = keys(local.networks)
  # That others overlap each other is not our business.
  overlapping = [for pair in setproduct(range(length(local.names)), range(length(local.names))) :
    "${local.names[pair[0]]} and ${local.names[pair[1]]}" if alltrue([
      pair[0] < pair[1],
      !(startswith(local.names[pair[0]], "other_networks") && startswith(local.names[pair[1]], "other_networks")),
      local.ranges[local.names[pair[0]]].first < local.ranges[local.names[pair[1]]].first + local.ranges[local.names[pair[1]]].size,
      local.ranges[local.names[pair[1]]].first < local.ranges[local.names[pair[0]]].first + local.ranges[local.names[pair[0]]].size,
    ])
  ]
  beside = [for name in local.names : trimprefix(name, "other_networks.") if alltrue([
    startswith(name, "other_networks"),
    local.ranges[name].first < local.ranges.vpc.first + local.ranges.vpc.size,
    local.ranges.vpc.first < local.ranges[name].first + local.ranges[name].size,
  ])]
  outside = [for name in local.names : name if !startswith(name, "other_networks") && anytrue([
    local.ranges[name].first < local.ranges.vpc.first,
    local.ranges[name].first + local.ranges[name].size > local.ranges.vpc.first + local.ranges.vpc.size,
  ])]

  # By zone, so that a zone that is taken out leaves the others as they are.
  public   = zipmap(var.zones, local.subnets.public)
  private  = zipmap(var.zones, local.subnets.private)
  database = zipmap(var.zones, local.subnets.database)
  nats     = var.nat == "one" ? slice(var.zones, 0, 1) : var.zones
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }

  lifecycle {
    precondition {
      condition     = length(local.beside) == 0
      error_message = "cidr ${var.cidr} overlaps ${join(", ", local.beside)}: the two could never be joined; choose another range."
    }
    precondition {
      condition     = length(local.overlapping) == 0
      error_message = "Networks overlap: ${join("; ", local.overlapping)}. Give each subnet addresses of its own."
    }
    precondition {
      condition     = length(local.outside) == 0
      error_message = "Outside cidr ${var.cidr}: ${join("; ", local.outside)}."
    }
  }
}

# Whatever was put into the default group by accident reaches nothing, and nothing reaches it.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-unused" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.public

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.key}", "kubernetes.io/role/elb" = "1" }
}

resource "aws_subnet" "private" {
  for_each = local.private

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-private-${each.key}", "kubernetes.io/role/internal-elb" = "1" }
}

resource "aws_subnet" "database" {
  for_each = local.database

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-database-${each.key}" }
}

resource "aws_eip" "nat" {
  for_each = toset(local.nats)

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nats)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.public

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.private

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = local.private

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[contains(local.nats, each.key) ? each.key : local.nats[0]].id
}

resource "aws_route_table_association" "private" {
  for_each = local.private

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# No way out at all: a database answers those who ask, and asks nobody.
resource "aws_route_table" "database" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = local.database

  subnet_id      = aws_subnet.database[each.key].id
  route_table_id = aws_route_table.database.id
}
