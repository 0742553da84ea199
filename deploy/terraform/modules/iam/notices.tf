resource "aws_sns_topic" "notices" {
  name              = "${var.name}-notices"
  kms_master_key_id = aws_kms_key.this["notices"].arn

  # Instead of SNS' own, which is wider, from the beginning.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AlarmsAndBudget"
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = ["sns:Publish"]
      Resource  = "arn:aws:sns:${var.region}:${var.account_id}:${var.name}-notices"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "notices" {
  for_each = var.notify

  topic_arn = aws_sns_topic.notices.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_budgets_budget" "month" {
  name         = "${var.name}-month"
  budget_type  = "COST"
  limit_amount = format("%.1f", var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    notification_type          = "ACTUAL"
    subscriber_email_addresses = var.notify
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    notification_type          = "FORECASTED"
    subscriber_email_addresses = var.notify
  }
}

locals {
  database = { DBInstanceIdentifier = var.database_identifier }
  alarms = merge({
    database-storage = {
      namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database, statistic = "Minimum",
      below     = true, threshold = var.database_storage_gb * 100000000, minutes = 10,
      says      = "A tenth of the database's storage is left: docs/runbooks/SightlineStoreGrowing.md"
    }
    database-cpu = {
      namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database, statistic = "Average",
      below     = false, threshold = 80, minutes = 15,
      says      = "The database's processors are busy: a larger class, or fewer frames"
    }
    database-memory = {
      namespace = "AWS/RDS", metric = "FreeableMemory", dimensions = local.database, statistic = "Average",
      below     = true, threshold = 200000000, minutes = 15,
      says      = "The database has less than 200 MB of memory left: a larger class"
    }
    database-credits = {
      namespace = "AWS/RDS", metric = "CPUCreditBalance", dimensions = local.database, statistic = "Minimum",
      below     = true, threshold = 20, minutes = 15,
      says      = "The database's burst is used up (t classes): a larger class, or one that is no t"
    }
    }, { for zone, id in var.nat_gateway_ids : "nat-${zone}" => {
      namespace = "AWS/NATGateway", metric = "ErrorPortAllocation", dimensions = { NatGatewayId = id }, statistic = "Sum",
      below     = false, threshold = 0, minutes = 5,
      says      = "Connections out of ${zone} fail: the NAT gateway has no ports left"
  } })
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.below ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.notices.arn]
  ok_actions          = [aws_sns_topic.notices.arn]
}
