"""What people see of a load's result: a page, a history, two results side by side."""
