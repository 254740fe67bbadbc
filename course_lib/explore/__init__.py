"""Widgets to move and watch: one module each, loaded only by the lesson that uses it."""
