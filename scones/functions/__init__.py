"""What runs in Lambda, and the machines that chain it."""
