"""`make release-check`: what would be published, built twice, looked through and tried. Nothing is uploaded."""
