"""What can be wrong with an environment's file."""


class EnvironmentFileError(Exception):
    """It is missing, or not what it should be: the sentence names the file and the field."""
