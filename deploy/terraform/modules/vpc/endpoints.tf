# Nodes fetch images, ask for credentials and write logs and backups without crossing the internet,
# and go on doing so when a NAT gateway is lost.
locals {
  # An endpoint's policy says whose requests it carries: a key of another account that somebody brought
  # along carries nothing out.
  own_account = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnAccountOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "*"
      Resource  = "*"
      Condition = { StringNotEquals = { "aws:PrincipalAccount" = var.account_id } }
      }, {
      Sid       = "WhatRolesAllow"
      Effect    = "Allow"
      Principal = "*"
      # Only what these endpoints are for; the service behind each knows no other actions.
      Action = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories",
        "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "eks-auth:AssumeRoleForPodIdentity",
        "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
        "logs:PutLogEvents", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:GetCallerIdentity", "sts:TagSession",
      ]
      Resource = "*"
    }]
  }
  # STS is asked with a web identity before there is any account of one's own to compare.
  for_sts = merge(local.own_account, { Statement = slice(local.own_account.Statement, 1, 2) })
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for each in aws_route_table.private : each.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnBuckets"
      Effect    = "Allow"
      Principal = "*"
      Action    = ["s3:*"]
      Resource  = ["arn:aws:s3:::${var.bucket_prefix}*"]
      Condition = { StringEquals = { "aws:PrincipalAccount" = var.account_id } }
      }, {
      # Layers of images come from a bucket of AWS', by links that it has signed itself.
      Sid       = "ImageLayers"
      Effect    = "Allow"
      Principal = "*"
      Action    = ["s3:GetObject"]
      Resource  = ["arn:aws:s3:::prod-${var.region}-starport-layer-bucket/*"]
    }]
  })

  tags = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "AWS endpoints: HTTPS from the private subnets"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.private

  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in slice(var.zones, 0, min(var.endpoint_zones, length(var.zones))) : aws_subnet.private[zone].id]
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = each.key == "sts" ? jsonencode(local.for_sts) : jsonencode(local.own_account)

  tags = { Name = "${var.name}-${each.key}" }
}
