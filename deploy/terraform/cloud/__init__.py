"""What is around the Terraform modules: their pages, their costs, and what comes out of them."""
