"""What is learned from: pictures and their labels."""
