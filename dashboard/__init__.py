"""What people look at: the pages of production. It computes nothing that another room has not computed."""
