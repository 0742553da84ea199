# What no role of ours can ever do, whatever somebody attaches to it later. A boundary grants nothing:
# a role may do what its policies and the boundary both allow.
resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_287: a boundary grants nothing; it is the most that policies of roles may grant
  # checkov:skip=CKV_AWS_288: a boundary grants nothing; the roles' own policies name buckets and keys
  # checkov:skip=CKV_AWS_289: a boundary grants nothing, and this one denies changing rights
  # checkov:skip=CKV_AWS_290: a boundary grants nothing; the roles' own policies name what may be written
  # checkov:skip=CKV_AWS_355: a boundary grants nothing; AWS' own policies of the control plane need these services on everything
  name        = "${var.name}-boundary"
  description = "The most that any role of ${var.name} may do"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "ServicesThatSightlineUses"
      Effect = "Allow"
      Action = [
        "autoscaling:*", "cloudwatch:*", "ec2:*", "ecr:*", "eks:*", "eks-auth:*", "elasticloadbalancing:*", "kms:*",
        "logs:*", "s3:*", "sts:*", "iam:CreateServiceLinkedRole",
      ]
      Resource = "*"
      }, {
      Sid    = "NoMoreRightsThanGiven"
      Effect = "Deny"
      Action = [
        "iam:AddUserToGroup", "iam:Attach*", "iam:CreateAccessKey", "iam:CreatePolicy*", "iam:CreateRole", "iam:CreateUser",
        "iam:Delete*", "iam:Detach*", "iam:PassRole", "iam:Put*", "iam:SetDefaultPolicyVersion", "iam:Update*",
      ]
      Resource = "*"
      }, {
      Sid    = "NobodyUndoesBackups"
      Effect = "Deny"
      Action = [
        "kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "s3:BypassGovernanceRetention", "s3:DeleteBucket",
        "s3:DeleteBucketPolicy", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketPolicy",
        "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration",
      ]
      Resource = "*"
      }, {
      Sid      = "ThisRegionOnly"
      Effect   = "Deny"
      Action   = ["ec2:*", "ecr:*", "eks:*", "logs:*"]
      Resource = "*"
      Condition = {
        StringNotEquals = { "aws:RequestedRegion" = var.region }
      }
    }]
  })
}
