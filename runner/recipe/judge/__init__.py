"""What is wrong with composed values."""
