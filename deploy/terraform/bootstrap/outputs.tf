output "bucket" {
  description = "Where the state is."
  value       = aws_s3_bucket.state.id
}

output "backend" {
  description = "Write it to state.tfbackend of the environment: `terraform output -raw backend > ../environments/NAME/state.tfbackend`."
  value       = <<-EOT
    bucket     = "${aws_s3_bucket.state.id}"
    region     = "${var.region}"
    kms_key_id = "${aws_kms_key.state.arn}"
  EOT
}
