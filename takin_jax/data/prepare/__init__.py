"""Raw clips -> training records: cuts, faces, quality, sound and labels."""
