"""Speech alone, with a teacher's features: data of the speech encoder."""
