locals {
  bucket_arn   = "arn:aws:s3:::${var.backups_bucket}"
  cluster_arn  = "arn:aws:eks:${var.region}:${var.account_id}:cluster/${var.name}"
  repositories = "arn:aws:ecr:${var.region}:${var.account_id}:repository/${var.name}/*"

  # Pods get credentials from EKS Pod Identity; the association says which ServiceAccount, and EKS tells STS.
  pods = [{
    Effect    = "Allow"
    Principal = { Service = "pods.eks.amazonaws.com" }
    Action    = ["sts:AssumeRole", "sts:TagSession"]
    Condition = { StringEquals = { "aws:SourceAccount" = var.account_id }, ArnEquals = { "aws:SourceArn" = local.cluster_arn } }
  }]
  by_service = { for service in ["eks", "ec2", "monitoring.rds"] : service => [{
    Effect    = "Allow"
    Principal = { Service = "${service}.amazonaws.com" }
    Action    = ["sts:AssumeRole"]
  }] }

  roles = merge(
    {
      cluster    = { says = "EKS' control plane", trust = local.by_service["eks"] }
      nodes      = { says = "Nodes: join the cluster, take images", trust = local.by_service["ec2"] }
      monitoring = { says = "RDS writes what its operating system does", trust = local.by_service["monitoring.rds"] }
      network    = { says = "The network plugin's pods: addresses for pods", trust = local.pods }
      volumes    = { says = "The EBS driver's pods: volumes", trust = local.pods }
      backups    = { says = "The backup job's pods", trust = local.pods }
    },
    length(var.deployers) > 0 || var.ci != null ? { deployer = { says = "Releases and switches, by the SDK", trust = local.to_deployer } } : {},
    var.ci == null ? {} : { ci = { says = "CI pushes images", trust = local.from_ci } },
  )

  to_deployer = [{
    Effect = "Allow"
    # The CI role's name instead of its ARN as principal: a principal must exist, a condition need not.
    Principal = { AWS = local.root }
    Action    = ["sts:AssumeRole"]
    Condition = { ArnEquals = { "aws:PrincipalArn" = sort(concat(tolist(var.deployers), var.ci == null ? [] : ["arn:aws:iam::${var.account_id}:role/${var.name}-ci"])) } }
  }]

  # GitHub and GitLab say in other words whose pipeline it is.
  github = var.ci == null ? false : startswith(var.ci.issuer, "token.actions.githubusercontent.com") || endswith(var.ci.issuer, "/_services/token")

  from_ci = var.ci == null ? [] : [{
    Effect    = "Allow"
    Principal = { Federated = "arn:aws:iam::${var.account_id}:oidc-provider/${var.ci.issuer}" }
    Action    = ["sts:AssumeRoleWithWebIdentity"]
    Condition = { StringEquals = {
      "${var.ci.issuer}:aud" = "sts.amazonaws.com"
      "${var.ci.issuer}:sub" = local.github ? "repo:${var.ci.repository}:ref:refs/heads/${var.ci.branch}" : "project_path:${var.ci.repository}:ref_type:branch:ref:${var.ci.branch}"
    } }
  }]

  # AWS' own policies, where a service of AWS is the one who acts.
  aws_policies = {
    "cluster AmazonEKSClusterPolicy"                          = "AmazonEKSClusterPolicy"
    "nodes AmazonEKSWorkerNodePolicy"                         = "AmazonEKSWorkerNodePolicy"
    "network AmazonEKS_CNI_Policy"                            = "AmazonEKS_CNI_Policy"
    "volumes service-role/AmazonEBSCSIDriverPolicy"           = "service-role/AmazonEBSCSIDriverPolicy"
    "monitoring service-role/AmazonRDSEnhancedMonitoringRole" = "service-role/AmazonRDSEnhancedMonitoringRole"
  }

  pull = [{
    # ECR knows no resource for this one action.
    Sid      = "Login"
    Effect   = "Allow"
    Action   = ["ecr:GetAuthorizationToken"]
    Resource = "*"
    }, {
    Sid      = "PullOwnImages"
    Effect   = "Allow"
    Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
    Resource = local.repositories
  }]

  own_policies = {
    nodes = concat(local.pull, [{
      # The add-ons' images are in repositories of AWS, in accounts that differ by region; the network plugin's
      # have names of their own.
      Sid      = "PullAddOns"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = [for each in ["eks/*", "amazon-k8s-cni", "amazon-k8s-cni-init", "amazon/aws-network-policy-agent"] : "arn:aws:ecr:${var.region}:*:repository/${each}"]
    }])
    cluster = [{
      Sid      = "EnvelopeEncryption"
      Effect   = "Allow"
      Action   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"]
      Resource = aws_kms_key.this["cluster"].arn
    }]
    backups = [{
      # Without a condition on the prefix: else S3 says of what is not there that it is forbidden.
      Sid      = "Find"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
      Resource = local.bucket_arn
      }, {
      Sid      = "LookAtTheLock"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"]
      Resource = local.bucket_arn
      }, {
      # Pruning deletes versions; a locked one stays, since nothing here may end a lock.
      Sid      = "MakeVerifyPrune"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectRetention", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectRetention"]
      Resource = "${local.bucket_arn}/${var.backups_prefix}/*"
      }, {
      Sid      = "Key"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = aws_kms_key.this["backups"].arn
    }]
    deployer = concat(local.pull, [{
      Sid      = "FindTheCluster"
      Effect   = "Allow"
      Action   = ["eks:DescribeCluster"]
      Resource = local.cluster_arn
      }, {
      Sid      = "IsThereABackup"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = local.bucket_arn
      }, {
      Sid      = "ReadManifests"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = "${local.bucket_arn}/${var.backups_prefix}/*.json"
      }, {
      Sid      = "Key"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = aws_kms_key.this["backups"].arn
    }])
    ci = concat(local.pull, [{
      Sid      = "PushOwnImages"
      Effect   = "Allow"
      Action   = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
      Resource = local.repositories
      }, {
      Sid      = "Release"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = "arn:aws:iam::${var.account_id}:role/${var.name}-deployer"
    }])
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  description          = each.value.says
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 3600

  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = each.value.trust })
}

resource "aws_iam_role_policy" "this" {
  for_each = { for role, statements in local.own_policies : role => statements if contains(keys(local.roles), role) }

  name = "sightline"
  role = aws_iam_role.this[each.key].id

  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy_attachment" "aws" {
  for_each = local.aws_policies

  role       = aws_iam_role.this[split(" ", each.key)[0]].name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

# Without thumbprints: AWS knows the certificates of the large issuers itself.
resource "aws_iam_openid_connect_provider" "ci" {
  count = var.ci == null ? 0 : 1

  url            = "https://${var.ci.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}
