"""The tests: by what they touch, a folder each (see CONTRIBUTING.md)."""
