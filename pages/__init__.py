"""The pages of the documentation that are made rather than written, and what the site's build hooks into."""
