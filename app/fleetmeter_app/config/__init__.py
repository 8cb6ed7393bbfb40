"""What a replica is told: its flags and environment, the TOML file, and how that file is read again."""
