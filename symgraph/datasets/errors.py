"""The one exception that bad data raises."""

__all__ = ["DatasetError"]


class DatasetError(ValueError):
    """A data set is missing, damaged, of another kind than asked for, or could not be downloaded."""
