"""Recipes: the settings of a training run."""
