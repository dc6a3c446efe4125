"""What people look at: the parts that the report and the review share."""
