"""What can be said where counting ends: sampling and estimates."""
